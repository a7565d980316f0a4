"""What is left of an app that fell over: a sentence for the person, the traceback for the log, no secret in either."""

from __future__ import annotations

import contextlib
import traceback
from datetime import datetime
from pathlib import Path
from typing import Final

from sdcore.library import paths
from sdcore.secrecy import without_secrets
from sdcore.spec.sanitise import sanitise

_LARGEST: Final = 1 << 20


def log_path() -> Path:
    """Where the app writes what went wrong in it."""
    return paths.state_dir() / "app.log"


def report(error: BaseException) -> str:
    """Write the traceback of an error, without the values of variables, to the log; returns what to tell the person."""
    kind = type(error).__name__
    message = _fit(str(error)).strip().splitlines()
    reason = f"{kind}: {message[0][:200]}" if message else kind
    lines = traceback.format_exception(error, chain=True)
    kept = ""
    with contextlib.suppress(OSError):
        path = log_path()
        if path.exists() and path.stat().st_size > _LARGEST:
            path.replace(path.with_suffix(".log.1"))
        with path.open("a", encoding="utf-8", errors="replace") as log:
            path.chmod(0o600)
            log.write(
                f"{datetime.now().astimezone().isoformat(timespec='seconds')}\n{_fit(''.join(lines))}\n"
            )
        kept = f" The details are in {sanitise(str(path), newlines=False)}."
    return f"sdtui fell over a fault of its own ({reason}).{kept} What was being made goes on; sdtui shows it again."


def _fit(text: str) -> str:
    return sanitise(without_secrets(text))
