"""Many images exported into a folder. Everything here reads and writes files: call it on a thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sdcore.spec.sanitise import sanitise
from tui.files import pasted_path


def folder_fault(text: str) -> str:
    """Why nothing can be exported into a folder, in one sentence, or ""; it is made where there is none."""
    shown = sanitise(text, newlines=False)[:200]
    try:
        folder = Path(pasted_path(text)).expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return f"{shown} is a file; name a folder."
    except (OSError, ValueError, RuntimeError) as fault:
        reason = getattr(fault, "strerror", None) or "check the path"
        return f"{shown} cannot be used: {sanitise(str(reason), newlines=False)}."
    return ""


def export_all(paths: Sequence[Path], folder: Path, suffix: str, keep: bool) -> tuple[int, str]:
    """Export images under their own names, or the next free ones; how many, and what was wrong with the last."""
    from sdcore.library.exporting import SUFFIXES, ExportError, export
    from sdcore.library.metadata import MetadataError

    done, problem = 0, ""
    for path in paths:
        target, number = folder / f"{path.stem}.{suffix}", 2
        while target.exists():
            target, number = folder / f"{path.stem}-{number}.{suffix}", number + 1
        try:
            export(path, target, SUFFIXES[f".{suffix}"], keep_metadata=keep)
            done += 1
        except (ExportError, MetadataError, OSError) as fault:
            problem = str(fault)
    return done, problem
