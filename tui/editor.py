"""A text, or a file, in the editor of the person's choice."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from textual.app import App, SuspendNotSupported

_Result = TypeVar("_Result")


class EditorError(Exception):
    """The editor could not be used; the message is one sentence that says what to do."""


def edit(app: App[Any], text: str) -> str:
    """Let the person edit `text` in $VISUAL or $EDITOR, with `app` put aside; raises `EditorError`."""
    return _aside(app, lambda: _edit(text))


def edit_file(app: App[Any], path: Path) -> None:
    """The same for a file, which need not be there yet."""
    _aside(app, lambda: _call(path))


def _aside(app: App[Any], work: Callable[[], _Result]) -> _Result:
    outcome: _Result | EditorError
    try:
        with app.suspend():
            # whatever leaves this block by an exception would leave the app suspended for good
            try:
                outcome = work()
            except EditorError as fault:
                outcome = fault
            except Exception as fault:
                outcome = EditorError(f"The editor could not be used: {fault}.")
    except SuspendNotSupported as fault:
        raise EditorError("This terminal cannot lend itself to an editor; write here.") from fault
    if isinstance(outcome, EditorError):
        raise outcome
    return outcome


def _edit(text: str) -> str:
    descriptor, name = tempfile.mkstemp(prefix="sdtui-prompt-", suffix=".txt")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        _call(path)
        return path.read_text("utf-8", errors="replace").removesuffix("\n")
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _call(path: Path) -> None:
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    command = command or [next((name for name in ("nano", "vim", "vi") if shutil.which(name)), "vi")]
    try:
        status = subprocess.call([*command, str(path)])
    except OSError as fault:
        raise EditorError(
            f"{command[0]} could not be started; set EDITOR to an editor that is installed."
        ) from fault
    if status:
        raise EditorError(f"{command[0]} ended with status {status}; everything is as it was.")
