"""A prompt as the network reads it: a row for each of its positions, 77 a chunk, with padding folded to one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sdcore.spec.chunks import CHUNK
from sdcore.spec.sanitise import sanitise
from sdcore.spec.views import PromptView, TokenView

SIGNS: Final = {"start": "⊢", "word": " ", "end": "⊣", "padding": "·"}
"""What stands before a token of each kind: told apart without colour, too."""
_FOLDED_FROM: Final = 3
_LEAST_TEXT: Final = 12
_MOST_TEXT: Final = 22
_SIGN: Final = 3
_POSITION: Final = 5


class Run(msgspec.Struct, frozen=True):
    """A row of the table: one token, or a folded run of padding."""

    tokens: tuple[TokenView, ...]

    @property
    def first(self) -> TokenView:
        """The token, or the first of the run."""
        return self.tokens[0]

    @property
    def is_folded(self) -> bool:
        """Whether the row stands for more than one position."""
        return len(self.tokens) > 1


class _Column(msgspec.Struct, frozen=True):
    title: str
    width: int
    cell: Callable[[Run], str]


def _position(run: Run) -> str:
    """The position, or those from which to which a row goes; where that is too wide, from which on."""
    first, last = run.first.position, run.tokens[-1].position
    both = f"{first}–{last}" if run.is_folded else str(first)
    return both if len(both) <= _POSITION else f"{first}–"


def _mean(run: Run, value: Callable[[TokenView], float]) -> float:
    return sum(map(value, run.tokens)) / len(run.tokens)


def _numbers(width: int, digits: int) -> tuple[_Column, ...]:
    """Norm and distance, their mean where a row stands for several tokens."""
    return (
        _Column("norm", width, lambda run: f"{_mean(run, lambda token: token.norm):.{digits}f}"),
        _Column("dist", width, lambda run: f"{_mean(run, lambda token: token.distance):.{digits}f}"),
    )


_BEFORE: Final = (
    _Column("pos", _POSITION, _position),
    _Column("id", 6, lambda run: str(run.first.id)),
)
_KIND: Final = _Column("kind", 9, lambda run: run.first.kind)
_TIERS: Final = tuple(
    (*kind, _Column(title, width, lambda run: "1" if run.first.attended else "0"), *numbers)
    for kind, title, width, numbers in (
        ((_KIND,), "mask", 5, _numbers(7, 2)),
        ((), "mask", 5, _numbers(7, 2)),
        ((), "m", 2, _numbers(5, 1)),
    )
)
"""What stands behind the text, the most of it that there is room for; `m` is the mask."""


def fold(prompt: PromptView, *, unfolded: bool) -> tuple[Run, ...]:
    """The rows: every position for itself, or runs of three and more padding positions as one."""
    rows: list[list[TokenView]] = []
    for token in prompt.tokens:
        same = rows and token.kind == rows[-1][-1].kind == "padding"
        if same and not unfolded:
            rows[-1].append(token)
        else:
            rows.append([token])
    return tuple(
        Run(part)
        for row in rows
        for part in ([tuple(row)] if len(row) >= _FOLDED_FROM else [(token,) for token in row])
    )


class TokenTable(ScrollView, can_focus=False, inherit_bindings=False):
    """Position, id, text, kind, mask, norm and distance of every token; the title line does not scroll."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "token--title", "token--start", "token--word", "token--end", "token--padding", "token--out",
    }  # fmt: skip

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._prompt: PromptView | None = None
        self._rows: tuple[Run, ...] = ()
        self._hint = ""

    @property
    def rows(self) -> tuple[Run, ...]:
        """What is shown, a row each."""
        return self._rows

    def show(self, prompt: PromptView | None, *, unfolded: bool, hint: str = "") -> None:
        """Show a prompt, or the sentence `hint` where there is none."""
        self._prompt, self._hint = prompt, hint
        self._rows = fold(prompt, unfolded=unfolded) if prompt is not None else ()
        kinds = [token.kind for token in prompt.tokens] if prompt is not None else []
        self.border_subtitle = f"{kinds.count('word')} of {kinds.count('start') * CHUNK}" if kinds else ""
        lost = bool(prompt and prompt.left_out)
        self.virtual_size = Size(0, len(self._rows) + 1 + 2 * lost)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The title, a row, or the words that are not shown."""
        width = self.size.width
        if not self._rows:
            lines = textwrap.wrap(self._hint, max(10, width - 2))
            return self._line(f" {lines[y]}" if y < len(lines) else "", "title", width)
        fixed = _SIGN + sum(column.width for column in _BEFORE)
        after = next((tier for tier in _TIERS if width - fixed - _widths(tier) >= _LEAST_TEXT), _TIERS[-1])
        room = min(_MOST_TEXT, max(1, width - fixed - _widths(after)))
        row = y - 1 + self.scroll_offset.y
        if y == 0:
            titles = [
                "".join(column.title.rjust(column.width) for column in part) for part in (_BEFORE, after)
            ]
            return self._line(f"{titles[0]}   {'token'.ljust(room)}{titles[1]}", "title", width)
        if row < len(self._rows):
            run = self._rows[row]
            cells = [
                "".join(column.cell(run).rjust(column.width) for column in part) for part in (_BEFORE, after)
            ]
            text = f"{cells[0]} {SIGNS[run.first.kind]} {_text(run, room)}{cells[1]}"
            return self._line(text, run.first.kind, width)
        prompt = self._prompt
        if row == len(self._rows) + 1 and prompt is not None and prompt.left_out:
            words = textwrap.shorten(sanitise(prompt.left_out, newlines=False), width - 14, placeholder=" …")
            return self._line(f" ✕ not shown: {words}", "out", width)
        return Strip.blank(width, self.rich_style)

    def _line(self, text: str, part: str, width: int) -> Strip:
        style = self.get_component_rich_style(f"token--{part}")
        return Strip([Segment(text, style)]).adjust_cell_length(width, self.rich_style)


def _widths(columns: tuple[_Column, ...]) -> int:
    return sum(column.width for column in columns)


def _text(run: Run, room: int) -> str:
    """What the row stands for in `room` cells: the token as it is written, or its kind where that is too long."""
    first = run.first
    if run.is_folded:
        words = f"padding × {len(run.tokens)}"
        return (words if len(words) <= room else f"× {len(run.tokens)}").ljust(room)
    words = sanitise(first.text, newlines=False)
    if first.kind != "word" and cell_len(words) > room:
        words = first.kind
    return set_cell_size(_shortened(words, room), room)


def _shortened(text: str, room: int) -> str:
    """`text`, with an ellipsis where it is wider than `room` cells."""
    return text if cell_len(text) <= room else set_cell_size(text, max(1, room - 1)).rstrip() + "…"
