"""The jobs of the queue, a line each, however many there are: only those in view are drawn."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable
from typing import ClassVar, Final

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sdcore.spec.sanitise import sanitise
from tui.durations import clock
from tui.screens.queue.queueing import Item, QueueBook

_TITLES: Final = {"running": "making", "waiting": "waiting", "failed": "failed", "done": "made"}
_MARKS: Final = {"running": "▸", "waiting": " ", "failed": "!", "done": "✓"}
_HELD: Final = "‖"
_FACTS: Final = ("size", "steps", "time", "when")
_WIDTHS: Final = {"size": 14, "steps": 13, "time": 8, "when": 7}
_NARROW: Final = 100
_LEAST_BAR: Final = 8

Now = Callable[[], float]
"""Seconds since 1970."""


class Line(msgspec.Struct, frozen=True):
    """A job, or (None) a title over those of one state. `when` is when it will be made, where that is known."""

    title: str
    item: Item | None = None
    when: float | None = None


def lines_of(book: QueueBook, now: float) -> list[Line]:
    """Everything there is to show: what is made, what waits in its order, what failed, what was made."""
    groups: list[tuple[str, Iterable[Item]]] = [
        ("running", [book.running] if book.running else []),
        ("waiting", book.waiting.values()),
        ("failed", book.failed.values()),
        ("done", book.done),
    ]
    lines: list[Line] = []
    when: float | None = None if book.paused else now
    for state, items in groups:
        there = list(items)
        if there:
            count = f" · {len(there)}" if len(there) > 1 else ""
            lines.append(Line(f"{_TITLES[state]}{count}"))
        for item in there:
            ahead = item.state in ("running", "waiting") and not item.held
            if ahead:
                left = item.seconds_left
                running = book.paused and item.state == "running"
                base = now if running else when
                at = None if base is None or left is None else base + left
                when = None if book.paused else at
                lines.append(Line("", item, at))
            else:
                lines.append(Line("", item))
    return lines


class QueueList(ScrollView, can_focus=True, inherit_bindings=False):
    """The lines, with a cursor that stays on its job while others come and go."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "queue--bright", "queue--normal", "queue--dim", "queue--accent", "queue--alert", "queue--line",
        "queue--cursor",
    }  # fmt: skip

    class Moved(Message):
        """The cursor is on another job, or its job has changed."""

    class Chosen(Message):
        """The line under the cursor was clicked again."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._cursor = 0
        self._hint = ""

    @property
    def item(self) -> Item | None:
        """The job under the cursor."""
        return self._lines[self._cursor].item if self._cursor < len(self._lines) else None

    @property
    def texts(self) -> list[str]:
        """What the lines say, as wide as they are."""
        return ["".join(part for part, _ in self._parts(line)).rstrip() for line in self._lines]

    def show(self, lines: list[Line], hint: str) -> None:
        """Show these; where there are none, say `hint`. The cursor stays on its job, and where that is gone, at its
        place."""
        before = self.item
        self._lines, self._hint = lines, hint
        jobs = [line.item.job if line.item else "" for line in lines]
        if before is not None and before.job in jobs:
            self._cursor = jobs.index(before.job)
        self._cursor = self._nearest(self._cursor, 1)
        self.virtual_size = Size(0, len(lines))
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def go_to(self, job: str) -> None:
        """Move the cursor to a job; where that is not there, it stays."""
        place = next((at for at, line in enumerate(self._lines) if line.item and line.item.job == job), None)
        if place is not None:
            self._go_to(place)

    def on_resize(self) -> None:
        """The cursor stays in view."""
        self._reveal()

    def walk(self, by: int) -> None:
        """Move the cursor by so many jobs, at most to either end."""
        places = [place for place, line in enumerate(self._lines) if line.item]
        if places:
            at = places.index(self._cursor) + by if self._cursor in places else 0
            self._go_to(places[max(0, min(at, len(places) - 1))])

    def page(self, by: int) -> None:
        """Move it by so many screens."""
        self.walk(by * max(1, self.size.height - 1))

    def _go_to(self, place: int) -> None:
        self._cursor = place
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def _nearest(self, place: int, step: int) -> int:
        """The job at or after a place, or else the last before it."""
        there = [at for at, line in enumerate(self._lines) if line.item]
        return next((at for at in there if at >= place), there[-1] if there else 0)

    def _reveal(self) -> None:
        height, top = self.size.height, self.scroll_offset.y
        first = self._cursor - 1 if self._cursor and not self._lines[self._cursor - 1].item else self._cursor
        if first < top:
            self.scroll_to(y=first, animate=False)
        elif self._cursor >= top + height > 0:
            self.scroll_to(y=self._cursor - height + 1, animate=False)

    def on_click(self, event: events.Click) -> None:
        """Go to the line; a line that is under the cursor is chosen."""
        place = event.y + self.scroll_offset.y
        if place < len(self._lines) and self._lines[place].item:
            if place == self._cursor:
                self.post_message(self.Chosen())
            else:
                self._go_to(place)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """A line of what is in view."""
        place = y + self.scroll_offset.y
        width = self.size.width
        if not self._lines:
            hint = ["", *textwrap.wrap(self._hint, max(10, width - 4))]
            return self._strip([(f"  {hint[y]}" if y < len(hint) else "", "dim")], width, self.rich_style)
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        here = place == self._cursor and self._lines[place].item is not None
        under = self.get_component_rich_style("queue--cursor") if here else self.rich_style
        return self._strip(self._parts(self._lines[place]), width, under)

    def _strip(self, parts: list[tuple[str, str]], width: int, under: Style) -> Strip:
        background = Style(bgcolor=under.bgcolor)
        segments = [
            Segment(text, self.get_component_rich_style(f"queue--{tone}") + background)
            for text, tone in parts
        ]
        return Strip(segments).adjust_cell_length(width, under)

    def _parts(self, line: Line) -> list[tuple[str, str]]:
        """What a line says, piece by piece, each with its tone."""
        item = line.item
        if item is None:
            return [(f" {line.title}", "dim")]
        facts = _facts(line, self.size.width)
        room = max(8, self.size.width - 4 - sum(cell_len(text) for text, _ in facts))
        tone = "alert" if item.state == "failed" else "accent" if item.state == "running" else "dim"
        mark = _HELD if item.held else _MARKS[item.state]
        return [(f" {mark} ", tone), *_name(item, room), (" ", "dim"), *facts]


def _name(item: Item, room: int) -> list[tuple[str, str]]:
    """The label and the prompt, in exactly `room` cells."""
    label = sanitise(item.label, newlines=False)
    prompt = sanitise(item.recipe.prompt, newlines=False).strip() or "(no prompt)"
    tone = "dim" if item.held or item.state == "done" else "bright"
    if not label:
        return [(_fitted(prompt, room), tone)]
    label = _fitted(label, min(cell_len(label), room))
    rest = room - cell_len(label)
    return [(label, tone), (_fitted(f" · {prompt}", rest), "dim")]


def _fitted(text: str, room: int) -> str:
    if cell_len(text) <= room:
        return set_cell_size(text, room)
    return set_cell_size(f"{set_cell_size(text, max(0, room - 1)).rstrip()}…", room)


def _facts(line: Line, width: int) -> list[tuple[str, str]]:
    """What stands on the right: of the running job its progress, of the others what they are and how long they take."""
    item = line.item
    assert item is not None  # titles have no facts
    shown = _FACTS if width >= _NARROW else _FACTS[1:]
    cells = sum(_WIDTHS[name] for name in shown)
    if item.state == "running":
        return _progress(item, cells)
    if item.state == "failed":
        return [(_fitted(f" {sanitise(item.message, newlines=False)}", cells), "alert")]
    recipe = item.recipe
    width_of, height_of = recipe.final_size()
    count = f" ×{recipe.batch_size}" if recipe.batch_size > 1 else ""
    texts = {
        "size": f"{width_of} × {height_of}",
        "steps": f"{recipe.steps} steps{count}",
        "time": "" if item.seconds is None else clock(item.seconds),
        "when": "held" if item.held else "" if line.when is None else _at(line.when),
    }
    return [
        ("".join(texts[name].rjust(_WIDTHS[name]) for name in shown), "normal" if not item.held else "dim")
    ]


def _progress(item: Item, cells: int) -> list[tuple[str, str]]:
    left = item.seconds_left
    count = f"{item.done}/{item.total}" if item.total else "beginning"
    rest = f"{clock(left)} left" if left is not None and item.total else ""
    rest = "decoding" if item.done >= item.total > 0 else rest
    text = "  " + " · ".join(part for part in (count, rest) if part)
    bar = max(_LEAST_BAR, cells - cell_len(text))
    halves = round(item.done / max(1, item.total) * bar * 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return [(filled, "accent"), ("─" * (bar - len(filled)), "line"), (text, "normal")]


def _at(when: float) -> str:
    return time.strftime("%H:%M", time.localtime(when))
