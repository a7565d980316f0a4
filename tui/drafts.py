"""What was typed and not yet sent, kept for the next run."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from sdcore.atomic import write_atomically
from sdcore.library import paths
from sdcore.spec.recipe import FIRST_PROMPT, FIRST_SEED, Recipe
from tui.parameter_rows import write_rows


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The panes as they were left: both prompts, every row's text as typed, the state of the seed, and the
    names of the styles in use."""

    prompt: str = FIRST_PROMPT
    negative_prompt: str = ""
    rows: dict[str, str] = msgspec.field(default_factory=lambda: write_rows(Recipe(seed=FIRST_SEED)))
    seed_locked: bool = False
    seed_used: bool = False
    styles: tuple[str, ...] = ()


def load() -> Draft:
    """The draft that was kept, or the first one of all. Never fails."""
    with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(_path().read_bytes(), type=Draft)
    return Draft()


def save(draft: Draft) -> None:
    """Keep `draft`; raises OSError if that cannot be done."""
    write_atomically(_path(), msgspec.json.encode(draft))


def with_model(draft: Draft, model: str) -> Draft:
    """`draft` with another model."""
    return msgspec.structs.replace(draft, rows={**draft.rows, "model": model})


def _path() -> Path:
    return paths.state_dir() / "draft.json"
