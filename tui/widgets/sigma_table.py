"""The sigma table: what each step starts from, the present step marked, the time that each took."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec
from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import bindings
from tui.widgets.own_lines import OwnLines


class _Table(msgspec.Struct):
    """What the columns read: `sigmas` has one entry more than `timesteps`; `seconds` grows with the run. In a `flow`
    the sigmas are shares of noise, x = (1 - σ) x0 + σ noise."""

    timesteps: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()
    seconds: list[float] = []
    flow: bool = False

    def noise_to_signal(self, row: int) -> float:
        """The noise's deviation over the image's, ∞ where there is noise alone."""
        sigma = self.sigmas[row]
        if not self.flow:
            return sigma
        return sigma / (1 - sigma) if sigma < 1 else math.inf


class _Column(msgspec.Struct, frozen=True):
    title: str
    width: int
    cell: Callable[[_Table, int], str]


def _timestep(table: _Table, row: int) -> str:
    return f"{table.timesteps[row]:.0f}" if row < len(table.timesteps) else ""


def _sigma(table: _Table, row: int) -> str:
    return f"{table.sigmas[row]:.3f}"


def _fall(table: _Table, row: int) -> str:
    return f"{table.sigmas[row + 1] - table.sigmas[row]:.3f}" if row + 1 < len(table.sigmas) else ""


def _alpha(table: _Table, row: int) -> str:
    # the share of the signal's variance, for x = sqrt(ᾱ) x0 + sqrt(1 - ᾱ) noise and σ² = (1 - ᾱ) / ᾱ
    return f"{1 / (1 + table.noise_to_signal(row) ** 2):.4f}"


def _signal_to_noise(table: _Table, row: int) -> str:
    # ᾱ / (1 - ᾱ), which is 1 / σ²
    ratio = table.noise_to_signal(row)
    return f"{1 / ratio**2:.4g}" if ratio > 0 else "∞"


def _milliseconds(table: _Table, row: int) -> str:
    if row >= len(table.seconds):
        return ""
    seconds = table.seconds[row]
    return f"{seconds * 1000:.0f}" if seconds < 99 else f"{seconds:.0f} s"


_NARROW: Final = (
    _Column("k", 4, lambda table, row: str(row)),
    _Column("t", 5, _timestep),
    _Column("σ", 8, _sigma),
    _Column("ms", 6, _milliseconds),
)
_WIDE: Final = (*_NARROW[:3], _Column("Δσ", 8, _fall), _Column("ᾱ", 8, _alpha), _NARROW[3])
_FULL: Final = (*_WIDE[:-1], _Column("SNR", 10, _signal_to_noise), _WIDE[-1])
_TIERS: Final = (_FULL, _WIDE, _NARROW)
_KEPT_LINES: Final = 2000


def _columns_for(width: int) -> tuple[_Column, ...]:
    """The most columns that fit in `width` cells beside the mark."""
    return next((tier for tier in _TIERS if width > sum(column.width for column in tier)), _NARROW)


class SigmaTable(OwnLines, ScrollView, can_focus=True, inherit_bindings=False):
    """One row a forward pass and a last one for where it ends."""

    HELP = (
        "Where each step starts: its number k, the timestep t that the network is told, the noise level σ, and "
        "the milliseconds that it took. The last row is where the run ends. ▸ marks the present step."
    )
    BINDINGS = bindings("steps")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "sigma--title",
        "sigma--done",
        "sigma--now",
        "sigma--ahead",
        "sigma--mark",
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._table = _Table()
        self._step: int | None = None
        self._drawn: dict[tuple[str, tuple[str, str], int], Strip] = {}
        """Lines by their text, their parts and their width: most are drawn again and again."""

    @property
    def step(self) -> int | None:
        """The present step, None when nothing runs."""
        return self._step

    @property
    def row_count(self) -> int:
        """Rows under the title: one more than there are steps."""
        return len(self._table.sigmas)

    def shows(self, timesteps: tuple[float, ...], sigmas: tuple[float, ...]) -> bool:
        """Whether this is the schedule that it shows."""
        return (self._table.timesteps, self._table.sigmas) == (timesteps, sigmas)

    def set_schedule(
        self, timesteps: tuple[float, ...], sigmas: tuple[float, ...], *, flow: bool = False
    ) -> None:
        """Show these N timesteps and N+1 sigmas, of a `flow` or not, with no step present and no times."""
        self._table = _Table(timesteps, sigmas, [], flow)
        self._step = None
        self.virtual_size = Size(0, len(sigmas) + 1)
        self._scroll(0)
        self.refresh()

    def set_step(self, step: int | None, seconds: list[float]) -> None:
        """Mark `step` and write the times of the passes done, in seconds."""
        first = min(len(self._table.seconds), self._step or 0)
        self._table.seconds = list(seconds)
        self._step = step
        last = max(len(seconds), step or 0)
        self.refresh_lines(first + 1, last - first + 1) if step is not None else self.refresh()
        if step is not None:
            self._follow(step)

    def rest(self) -> None:
        """Mark no step; the times stay."""
        step, self._step = self._step, None
        if step is not None:
            self.refresh_lines(step + 1)

    def _follow(self, step: int) -> None:
        """Keep the present step in sight, two rows from an edge; a page at a time, as every row that moves is sent."""
        rows = self.size.height - 1
        top = self.scroll_offset.y
        if step >= top + rows - 2:
            self._scroll(step - 2)
        elif step < top + 2:
            self._scroll(max(0, step - rows + 3))

    def _scroll(self, top: int) -> None:
        """Have row `top` under the title, at once: before the first layout Textual takes a list for one that cannot
        scroll."""
        self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def action_page_up(self) -> None:
        """A page up."""
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """A page down."""
        self.scroll_page_down(animate=False)

    def render_line(self, y: int) -> Strip:
        """The title, which does not scroll, or a row."""
        width = self.size.width
        columns = _columns_for(width)
        if y == 0:
            text = " " + "".join(column.title.rjust(column.width) for column in columns)
            return self._line(text, ("title", "title"), width)
        row = y - 1 + self.scroll_offset.y
        if row >= len(self._table.sigmas):
            return Strip.blank(width, self.ground)
        now = row == self._step
        text = "".join(column.cell(self._table, row).rjust(column.width) for column in columns)
        part = "now" if now else "done" if row < len(self._table.seconds) else "ahead"
        return self._line(f"{'▸' if now else ' '}{text}", ("mark", part), width)

    def _line(self, text: str, parts: tuple[str, str], width: int) -> Strip:
        """The line `text`, its first cell and the rest of it drawn as these parts of the table."""
        key = (text, parts, width)
        if key not in self._drawn:
            if len(self._drawn) > _KEPT_LINES:
                self._drawn.clear()
            first, rest = (self.style_of(f"sigma--{part}") for part in parts)
            segments = [Segment(text[:1], first), Segment(text[1:], rest)]
            self._drawn[key] = Strip(segments).adjust_cell_length(width, self.ground)
        return self._drawn[key]

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme."""
        self._drawn.clear()
        super().notify_style_update()
