"""The engine's log file: private, bounded, and free of control characters."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Final, TextIO

from sdcore.library import paths
from sdcore.secrecy import without_secrets
from sdcore.spec.sanitise import sanitise

_LARGEST: Final = 1 << 20
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return sanitise(without_secrets(super().format(record)))


def log_path() -> Path:
    """Where the engine writes its log."""
    return paths.state_dir() / "engine.log"


def open_log() -> TextIO:
    """The log, opened for appending with mode 0600; a large one is set aside as `engine.log.1` first."""
    path = log_path()
    if path.exists() and path.stat().st_size > _LARGEST:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8")


def log_to(stream: TextIO) -> None:
    """Send every logger and Python's warnings to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)


def log_unforeseen() -> None:
    """Log what nobody caught, in a process whose log is all that is seen of it; Python would write it there raw."""
    log = logging.getLogger(__name__)
    sys.excepthook = lambda kind, error, trace: log.critical("unforeseen", exc_info=(kind, error, trace))
    threading.excepthook = lambda told: log.critical("unforeseen", exc_info=told.exc_value)


def last_line() -> str:
    """The last line of the log as one safe line, or "" when there is none."""
    try:
        with log_path().open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return sanitise(without_secrets(lines[-1]), newlines=False)[:300] if lines else ""
