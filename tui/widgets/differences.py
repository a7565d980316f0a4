"""What differs between two images, in words: the prompts and the parameters; how many pixels, in the border."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from sdcore.spec.sanitise import sanitise
from sdcore.spec.views import ParameterDifference, WordRun
from tui.screens.compare.comparison import Comparison, pixels_phrase

_GAP: Final = 2
_ARROW: Final = " → "
_CONTEXTS: Final = (None, 3, 1)
"""Kept words that stay on either side of a change; None leaves all. The first that makes the text fit is taken."""
_SIGNS: Final = {"kept": "", "removed": "−", "added": "+"}
_STYLES: Final = {"kept": "$dim", "removed": "$alert", "added": "$accent"}
_SAME: Final = "the same"


class Differences(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Scrolls where there is more to say than room."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "what differs, older to newer"

    def compose(self) -> ComposeResult:
        """One text."""
        yield DifferenceText()

    @property
    def text(self) -> str:
        """What it says."""
        return self.query_one(DifferenceText).text

    def show(self, comparison: Comparison | None) -> None:
        """Say how these two differ; nothing where there are no two."""
        self.query_one(DifferenceText).show(comparison)
        self.border_subtitle = pixels_phrase(comparison.pixels) if comparison is not None else ""
        self.scroll_home(animate=False)


class DifferenceText(Widget):
    """As many lines as there is to say; kept words far from any change are left out where it is too much."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "DifferenceText { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self._comparison: Comparison | None = None
        self._wrapped: tuple[tuple[int, int], list[Content]] | None = None

    @property
    def text(self) -> str:
        """What it says, in lines of its width."""
        return "\n".join(line.plain.rstrip() for line in self._lines(self.size.width))

    def show(self, comparison: Comparison | None) -> None:
        """Say how these two differ; nothing where there are no two."""
        self._comparison, self._wrapped = comparison, None
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line for each that wrapping makes."""
        return len(self._lines(width))

    def _lines(self, width: int) -> list[Content]:
        if self._comparison is None:
            return []
        width = max(20, width)
        room = self.parent.size.height if isinstance(self.parent, Widget) else 0
        if self._wrapped is not None and self._wrapped[0] == (width, room):
            return self._wrapped[1]
        lines: list[Content] = []
        for context in _CONTEXTS:
            parts = difference_text(self._comparison, width, context)
            lines = [line for part in parts for line in part.wrap(width)]
            if len(lines) <= room:
                break
        self._wrapped = (width, room), lines
        return lines

    def render(self) -> Content:
        """The words, then the parameters."""
        return Content("\n").join(self._lines(self.size.width))


def difference_text(found: Comparison, width: int, context: int | None = None) -> list[Content]:
    """Paragraphs for a pane of `width` cells; of the kept words, with a `context` only so many beside each change."""
    parts: list[Content] = []
    if found.silent:
        names = " and ".join(found.silent)
        says = "does not say how it was" if len(found.silent) == 1 else "do not say how they were"
        parts.append(Content.styled(f"{names} {says} made.", "$normal"))
    else:
        prompts = {"prompt": found.prompt, "negative": found.negative_prompt}
        parts += [_prompt(title, runs, context) for title, runs in prompts.items() if runs]
        parts += _table(found.parameters, width)
    return parts


def _prompt(title: str, runs: Sequence[WordRun], context: int | None) -> Content:
    """The words, each that came or went with its sign."""
    label = Content.styled(f"{title}  ", "$normal")
    if all(run.kind == "kept" for run in runs):
        return label + Content.styled(_SAME, "$dim")
    parts = [label]
    for place, run in enumerate(runs):
        before = runs[place - 1] if place else None
        text = sanitise(run.text, newlines=False)
        words = [f"{_SIGNS[run.kind]}{word}" for word in text.split()]
        if context is not None and run.kind == "kept":
            words = _folded(words, 0 if before is None else context, 0 if place == len(runs) - 1 else context)
        # a removed and an added word never touch, whatever stood between the words
        apart = text[:1].isspace() or (before is not None and "kept" not in (before.kind, run.kind))
        lead = " " if before is not None and apart else ""
        parts += [Content(lead), Content.styled(" ".join(words), _STYLES[run.kind])]
    return Content("").join(parts)


def _folded(words: list[str], after: int, ahead: int) -> list[str]:
    """Kept words: those `after` the last change and `ahead` of the next, and a mark for the rest."""
    if len(words) <= after + ahead + 1:
        return words
    return [*words[:after], "…", *words[len(words) - ahead :]]


def _table(rows: Sequence[ParameterDifference], width: int) -> list[Content]:
    """Name, older and newer value; a row that is too wide becomes three lines."""
    if not rows:
        return [Content.styled("parameters  ", "$normal") + Content.styled(_SAME, "$dim")]
    cells = [(row.name.replace("_", " "), _value(row.first), _value(row.second)) for row in rows]
    room = width - _GAP - len(_ARROW)
    fitting = [row for row in cells if sum(map(cell_len, row)) <= room]
    while fitting and sum(_widest(fitting, column) for column in range(3)) > room:
        fitting.remove(max(fitting, key=lambda row: sum(map(cell_len, row))))
    name_width, value_width = (_widest(fitting, column) if fitting else 0 for column in (0, 1))
    return [
        line for row in cells
        for line in ([_row(row, name_width, value_width)] if row in fitting else _stacked(row, width))
    ]  # fmt: skip


def _row(row: tuple[str, str, str], name_width: int, value_width: int) -> Content:
    name, first, second = row
    return (
        Content.styled(_padded(name, name_width + _GAP), "$normal")
        .append(Content.styled(_padded(first, value_width, right=True), _STYLES["removed"]))
        .append(Content.styled(_ARROW, "$dim"))
        .append(Content.styled(second, _STYLES["added"]))
    )


def _stacked(row: tuple[str, str, str], width: int) -> Iterator[Content]:
    yield Content.styled(row[0], "$normal")
    for kind, value in zip(("removed", "added"), row[1:], strict=True):
        for line in textwrap.wrap(f"{_SIGNS[kind]} {value}", width - 2, subsequent_indent="  "):
            yield Content.styled(f"  {line}", _STYLES[kind])


def _widest(rows: Sequence[tuple[str, str, str]], column: int) -> int:
    return max(cell_len(row[column]) for row in rows)


def _padded(text: str, width: int, *, right: bool = False) -> str:
    spaces = " " * max(0, width - cell_len(text))
    return spaces + text if right else text + spaces


def _value(text: str) -> str:
    return sanitise(text, newlines=False) or "none"
