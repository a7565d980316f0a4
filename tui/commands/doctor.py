"""`sdtui doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sdcore
from sdcore import environment
from sdcore.engine import log, wire
from sdcore.library import checkpoints, config, paths
from tui.commands.console import FAILED, say, say_columns
from tui.commands.doctor_terminal import terminal_lines

LEAST_FREE: Final = 500_000_000
"""Bytes of free space below which the doctor worries."""

_LIBRARIES: Final = ("diffusers", "transformers", "tokenizers", "textual", "rich", "pillow")

# In a process of its own: the app never imports torch, and a broken CUDA may take its process with it.
_ASK_TORCH: Final = """
import json, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
names = [torch.cuda.get_device_name(i) for i in range(count)]
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "names": names}))
"""
_TORCH_SECONDS: Final = 120


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `level` is "ok", "note" or "FAIL"; `advice` says what to do."""

    level: str
    subject: str
    detail: str
    advice: str = ""


def run(options: Namespace) -> int:
    """Print what was found; 1 if something does not work."""
    failed = False
    for examine in (_program, _terminal, _folders, _settings, _models, _engine, _torch):
        findings = list(examine())
        if rows := [(f"{found.level:<4}", f"{found.subject:<12}", _joined(found)) for found in findings]:
            say_columns(rows)
        failed = failed or any(found.level == "FAIL" for found in findings)
    say()
    say("Something does not work; see the lines that say FAIL." if failed else "Everything works.")
    return FAILED if failed else 0


def _joined(found: Finding) -> str:
    return f"{found.detail}\n→ {found.advice}" if found.advice else found.detail


def _program() -> Iterator[Finding]:
    yield Finding(
        "ok", "sdtui", f"{sdcore.__version__}, Python {platform.python_version()}, {platform.system()}"
    )
    for name in _LIBRARIES:
        try:
            yield Finding("ok", name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            if name not in environment.ENGINE_NEEDS or not environment.no_engine():  # which is told below
                yield Finding(
                    "FAIL", name, "not installed", "install sdtui again: pip install . in its folder"
                )


def _terminal() -> Iterator[Finding]:
    if not sys.stdout.isatty():
        yield Finding(
            "note", "terminal", "stdout is none here", "run sdtui doctor in the terminal to examine it"
        )
        return
    columns, rows = shutil.get_terminal_size()
    small = columns < 80 or rows < 24
    advice = "make it 80x24 or larger: the studio folds below that" if small else ""
    size = f"{columns}x{rows} cells, TERM={os.environ.get('TERM', '')}"
    yield Finding("note" if small else "ok", "terminal", size, advice)
    for line in terminal_lines():
        yield Finding(*line)
    if sys.stdout.encoding.lower() != "utf-8":
        advice = "set LANG to a UTF-8 locale, such as C.UTF-8"
        yield Finding("FAIL", "text", f"encoding {sys.stdout.encoding}", advice)


_FOLDERS: Final[tuple[tuple[str, Callable[[], Path]], ...]] = (
    ("config", paths.config_dir),
    ("state", paths.state_dir),
    ("cache", paths.cache_dir),
    ("outputs", lambda: config.load()[0].outputs_dir()),
)


def _folders() -> Iterator[Finding]:
    for name, locate in _FOLDERS:
        try:
            folder = locate()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
        except OSError as fault:
            yield Finding(
                "FAIL",
                name,
                f"{fault.filename}: {fault.strerror}",
                "change its permissions or set SDTUI_HOME",
            )
            continue
        detail = f"{folder}, {free / 1e9:.1f} GB free"
        if not os.access(folder, os.W_OK | os.X_OK):
            yield Finding(
                "FAIL", name, detail, "it cannot be written to: change its permissions or set SDTUI_HOME"
            )
        elif free < LEAST_FREE:
            yield Finding("note", name, detail, "make room before the disk is full")
        else:
            yield Finding("ok", name, detail)


def _settings() -> Iterator[Finding]:
    for problem in config.load()[1]:
        yield Finding("note", "settings", problem, f"edit {config.config_file()}")


def _models() -> Iterator[Finding]:
    for ref in dict.fromkeys((checkpoints.BUNDLED, config.load()[0].model)):
        try:
            model = checkpoints.describe(ref)
        except checkpoints.UnknownModelError as fault:
            yield Finding("FAIL", "model", str(fault))
        else:
            yield Finding(
                "ok", "model", f"{model.name}: {model.family}, {model.native_size} px, {model.path}"
            )


def _engine() -> Iterator[Finding]:
    try:
        path = wire.socket_path()
    except wire.EngineError as fault:
        yield Finding("FAIL", "engine", str(fault))
        return
    yield Finding(
        "ok", "engine", f"{path}, {'running' if path.exists() else 'not running'}; log: {log.log_path()}"
    )


def _torch() -> Iterator[Finding]:
    if lacking := environment.no_engine():
        yield Finding("note", "torch", lacking)
        return
    command = [sys.executable, "-c", _ASK_TORCH]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_TORCH_SECONDS, check=True
        ).stdout
        found = json.loads(answer)
    except (subprocess.SubprocessError, ValueError) as fault:
        lines = str(getattr(fault, "stderr", None) or fault).strip().splitlines()
        yield Finding(
            "FAIL", "torch", lines[-1] if lines else "no answer", "install torch again: pip install torch"
        )
        return
    yield Finding(
        "ok", "torch", f"{found['version']}, built for {'CUDA ' + found['cuda'] if found['cuda'] else 'CPUs'}"
    )
    for index, name in enumerate(found["names"]):
        yield Finding("ok", "GPU", f"cuda:{index} {name}")
    if not found["names"] and shutil.which("nvidia-smi"):
        advice = "install a CUDA build of torch that fits the driver; see pytorch.org"
        yield Finding("note", "GPU", "there is a driver, but torch finds no GPU", advice)
    elif not found["names"]:
        yield Finding("note", "GPU", "none; images are made on the CPU")
