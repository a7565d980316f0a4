"""The lines of the parameters pane, as text and the part that each piece of it plays. Nothing is drawn here."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from rich.cells import cell_len, set_cell_size

from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from tui.parameter_row import INPUT_PREFIX, Row, model_name
from tui.parameter_rows import in_effect, multiple_of, size_text, unfolded
from tui.shortening import shortened

LABEL: Final = 12
FOLD: Final = "more"
"""The line that folds, named like a row."""

Part = Literal["mark", "label", "here", "value", "quiet", "accent", "fault"]
_INDENT: Final = "    "
_MOST: Final = 1000
"""Characters of a value that are looked at: a line shows fewer, and to measure ten thousand takes a frame."""


class Line(msgspec.Struct, frozen=True):
    """One line: the row that it belongs to, its pieces, and whether it is the one under the cursor."""

    row: str
    parts: tuple[tuple[str, Part], ...]
    raised: bool = False

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(text for text, _ in self.parts)


class Pane(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines are made from: `rows` are those that the pane has, `width` its cells. `faults` and `notes` stand
    under their rows, `asides` beside the value. `suggestion` is what would complete a path."""

    rows: Sequence[Row]
    texts: dict[str, str]
    recipe: Recipe
    faults: dict[str, str]
    notes: dict[str, str]
    asides: dict[str, tuple[str, Part]]
    cursor: str
    width: int
    focused: bool
    typing: bool
    unfolded: bool
    suggestion: str = ""

    @property
    def foldable(self) -> bool:
        """Whether there is anything to fold."""
        return any(row.folded for row in self.rows)


def seen(pane: Pane) -> list[Row]:
    """The rows that have a line, from top to bottom: with an effect, and unfolded or under the cursor."""
    return [
        row
        for row in pane.rows
        if in_effect(row, pane.recipe)
        and (
            pane.unfolded
            or unfolded(row, pane.recipe)
            or row.name in pane.faults
            or (pane.focused and row.name == pane.cursor)
        )
    ]


def make_lines(pane: Pane) -> list[Line]:
    """Every line, the fold's at the end."""
    lines: list[Line] = []
    rows = seen(pane)
    for row in rows:
        lines.append(_row_line(pane, row))
        for text, part in ((pane.faults.get(row.name, ""), "fault"), (pane.notes.get(row.name, ""), "quiet")):
            room = max(8, pane.width - len(_INDENT))
            lines += [Line(row.name, ((f"{_INDENT}{line}", part),)) for line in textwrap.wrap(text, room)]  # type: ignore[arg-type]
    if pane.foldable:
        lines.append(
            _fold_line(pane, [row for row in pane.rows if row not in rows and in_effect(row, pane.recipe)])
        )
    return lines


def _row_line(pane: Pane, row: Row) -> Line:
    here = pane.focused and row.name == pane.cursor
    typing = here and pane.typing
    room = pane.width - 2 - LABEL
    text = sanitise(pane.texts[row.name] if typing else pane.texts[row.name][:_MOST], newlines=False)
    parts: list[tuple[str, Part]] = [_value(row, text, room - typing, typing)]
    if typing:
        parts.append(("▏", "mark"))
        free = room - cell_len(parts[0][0]) - 1
        if pane.suggestion and free > 0:
            parts.append((_cut(sanitise(pane.suggestion, newlines=False), free), "quiet"))
    aside, part = pane.asides.get(row.name, ("", "quiet"))
    if aside and cell_len(parts[0][0]) + cell_len(aside) + 3 <= room:
        parts.append((f"  {aside}", part))
    return _line(row.name, f"{'  ' if row.parent else ''}{row.title}", parts, here)


def _fold_line(pane: Pane, hidden: Sequence[Row]) -> Line:
    here = pane.focused and pane.cursor == FOLD
    room = pane.width - 2 - LABEL
    named = ", ".join(row.title for row in hidden)
    told = textwrap.shorten(named, max(1, room), placeholder=" …").replace(", …", " …")
    return _line(FOLD, "fewer" if pane.unfolded else "more", [(told, "quiet")], here)


def _line(name: str, label: str, parts: Sequence[tuple[str, Part]], here: bool) -> Line:
    mark, title = ("▸ ", label.ljust(LABEL)) if here else ("  ", label.ljust(LABEL))
    return Line(name, ((mark, "mark"), (title, "here" if here else "label"), *parts), here)


def _value(row: Row, text: str, room: int, typing: bool) -> tuple[str, Part]:
    if not text:
        return ("", "value") if typing else (row.empty, "quiet")
    if row.name == "model":
        text = model_name(text)
    if row.kind == "file":
        return (_end_of(text, room) if typing else file_name(text, room)), "value"
    return (text if cell_len(text) <= room else _cut(text, room)), "value"


def file_name(text: str, room: int) -> str:
    """A path in at most `room` cells: whole, or its name, or the beginning of its name up to a whole word."""
    if text.startswith(INPUT_PREFIX):
        return f"kept copy {text.removeprefix(INPUT_PREFIX)[:8]}"
    name = text.rstrip("/").rpartition("/")[2]
    for wording in (text, f"…/{name}"):
        if cell_len(wording) <= room:
            return wording
    return shortened(name, room)


def _cut(text: str, room: int) -> str:
    return text if cell_len(text) <= room else f"{set_cell_size(text, max(0, room - 1))}…"


def _end_of(text: str, room: int) -> str:
    """What is being typed, as much of its end as there is room for."""
    if cell_len(text) <= room:
        return text
    end = text[-max(1, room - 1) :]  # of a text of 10,000 characters no more is measured than can be seen
    while cell_len(end) >= room and len(end) > 1:
        end = end[1:]
    return f"…{end}"


def make_asides(
    recipe: Recipe, family: str, *, count: int, locked: bool, used: bool
) -> dict[str, tuple[str, Part]]:
    """What stands beside values: what becomes of the seed, how many images come of `count` batches, the size after the
    second pass, and how many variations the last one follows."""
    asides: dict[str, tuple[str, Part]] = {}
    if locked:
        asides["seed"] = ("⚿ locked", "accent")
    elif used:
        asides["seed"] = ("↻ random", "quiet")
    if count > 1 and recipe.batch_size > 1:
        asides["count"] = (f"{count * recipe.batch_size} images", "quiet")
    if recipe.enlarges:
        asides["hires"] = (f"→ {size_text(*recipe.final_size(multiple_of(family)))}", "quiet")
    if recipe.earlier_variations:
        asides["variation"] = (f"after {len(recipe.earlier_variations)} before it", "quiet")
    return asides
