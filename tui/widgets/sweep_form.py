"""The form of a sweep: up to three axes with their values, and under each what is wrong with it or what it makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, cast

from msgspec.structs import replace
from textual import events
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input

from sdcore.spec.sanitise import sanitise
from sdcore.spec.sweep.axes import BY_NAME
from sdcore.spec.sweep.expand import LETTERS, Line, Plan, Seeds
from tui.screens.lists.ask import WordSuggester
from tui.widgets.line_input import LineInput
from tui.widgets.notes import Notes
from tui.widgets.panes import Column, Row

_GOES: Final = {"x": "the columns", "y": "the rows", "z": "the pages"}
"""What the values of an axis become in the grid."""
_SEEDS: Final[dict[Seeds, str]] = {"same": "the same for all", "each": "another one for each"}
_MATRIX: Final = {
    False: "off",
    True: "on: every choice among the prompt's parts between bars, a house | at night | in rain",
}

Names = Callable[[str], Sequence[str]]
"""What can be completed along an axis; may take its time, and is called on a thread."""


class Pick(Widget):
    """A name and what is chosen for it; Enter or a click chooses something else."""

    ALLOW_SELECT = False

    class Pressed(Message):
        """Something else is wanted."""

        def __init__(self, pick: Pick) -> None:
            super().__init__()
            self.pick = pick

    def __init__(self, title: str, nothing: str = "", *, id: str) -> None:
        super().__init__(id=id)
        self.can_focus = True
        self._title = title
        self._nothing = nothing
        self._chosen = ""

    @property
    def chosen(self) -> str:
        """What is chosen, as it is shown."""
        return self._chosen

    def show(self, chosen: str) -> None:
        """Show what is chosen."""
        self._chosen = chosen
        self.refresh()

    def press(self) -> None:
        """Ask for something else."""
        self.post_message(self.Pressed(self))

    def on_click(self, event: events.Click) -> None:
        """As Enter does."""
        self.focus()
        self.press()

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    on_blur = on_focus

    def render(self) -> Content:
        """The title dim, the choice bright, the mark of the cursor before both."""
        mark = "▸ " if self.has_focus else "  "
        shown = self._chosen or f"— {self._nothing}"
        return (
            Content.styled(mark, "$accent")
            .append(Content.styled(f"{self._title:<8}", "$dim"))
            .append(Content.styled(shown, "$bright" if self._chosen else "$dim"))
        )


class _Names(Suggester):
    """Completes the values of one axis."""

    def __init__(self, names: Callable[[], Sequence[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = names

    async def get_suggestion(self, value: str) -> str | None:
        names = list(await asyncio.to_thread(self._names))
        written = value.rpartition(",")[2].strip().casefold()
        if any(name.casefold() == written for name in names):
            return None  # who has written DPM++ 2M does not want DPM++ 2M SDE
        return await WordSuggester(names).get_suggestion(value)


class SweepForm(Column):
    """What a person says of a sweep. `Changed` is told at every letter, `Submitted` at Enter in a line of values."""

    class Changed(Message):
        """It says something else now."""

    class Submitted(Message):
        """Begin."""

    def __init__(self, names: Names, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = names
        self._plan = Plan()

    async def build(self) -> None:
        """Mount what is varied, the axes, the rest, and what comes of it: piece by piece, so that none holds up a key
        or a picture for long."""
        await self.mount(Notes(id="sweep-base"))
        for letter in LETTERS:
            pick = Pick(letter, _GOES[letter], id=f"sweep-{letter}")
            line = Row(pick, LineInput(id=f"sweep-{letter}-values"), classes="sweep-line")
            await asyncio.sleep(0)
            await self.mount(line, Notes(id=f"sweep-{letter}-note"))
        await asyncio.sleep(0)
        await self.mount(Pick("matrix", id="sweep-matrix"), Pick("seed", id="sweep-seeds"))
        await self.mount(Notes(id="sweep-count"), Notes(id="sweep-notes"))

    # What it says

    @property
    def plan(self) -> Plan:
        """What it says."""
        return self._plan

    def fill(self, plan: Plan) -> None:
        """Say this."""
        self._plan = plan
        for letter, line in zip(LETTERS, plan.lines, strict=True):
            values = self._values(letter)
            with values.prevent(Input.Changed):
                values.value = line.values
            self._show_axis(letter, line)
        self._show_rest()

    def _set(self, plan: Plan) -> None:
        self._plan = plan
        self._show_rest()
        self.post_message(self.Changed())

    def choose_axis(self, letter: str, name: str) -> None:
        """Go along something else, or ("") along nothing; the values that were typed stay for the same kind alone."""
        place = LETTERS.index(letter)
        lines = list(self._plan.lines)
        lines[place] = Line(name, lines[place].values if name == lines[place].name else "")
        values = self._values(letter)
        with values.prevent(Input.Changed):
            values.value = lines[place].values
        self._show_axis(letter, lines[place])
        self._set(replace(self._plan, lines=_three(lines)))
        if values.display:
            values.focus()

    def toggle(self, pick: Pick) -> bool:
        """Change what has two states; whether `pick` is such a thing."""
        if pick.id == "sweep-matrix":
            self._set(replace(self._plan, matrix=not self._plan.matrix))
        elif pick.id == "sweep-seeds":
            self._set(replace(self._plan, seeds="same" if self._plan.seeds == "each" else "each"))
        else:
            return False
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        """A letter was typed."""
        event.stop()
        letter = cast(str, event.input.id).split("-")[1]
        lines = list(self._plan.lines)
        place = LETTERS.index(letter)
        lines[place] = Line(lines[place].name, event.value)
        self._set(replace(self._plan, lines=_three(lines)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a line of values."""
        event.stop()
        self.post_message(self.Submitted())

    # What it shows

    def _values(self, letter: str) -> LineInput:
        return self.query_one(f"#sweep-{letter}-values", LineInput)

    def _show_axis(self, letter: str, line: Line) -> None:
        axis = BY_NAME.get(line.name)
        self.query_one(f"#sweep-{letter}", Pick).show(line.name)
        values = self._values(letter)
        values.display = axis is not None and axis.wants
        if axis is not None:
            values.placeholder = axis.example
            values.suggester = _Names(lambda: self._names(axis.name))

    def _show_rest(self) -> None:
        self.query_one("#sweep-matrix", Pick).show(_MATRIX[self._plan.matrix])
        self.query_one("#sweep-seeds", Pick).show(_SEEDS[self._plan.seeds])

    def tell_base(self, sentence: str) -> None:
        """Say what is varied."""
        self.query_one("#sweep-base", Notes).show(sentence)

    def tell(self, count: str, notes: Sequence[str], counts: Sequence[str], fault: str = "",
             at: int | None = None) -> None:  # fmt: skip
        """Say how many images there will be, what is to be known, what the values of each axis are, and what is wrong:
        with the axis `at`, or with all."""
        for place, letter in enumerate(LETTERS):
            line, note = self._plan.lines[place], self.query_one(f"#sweep-{letter}-note", Notes)
            wrong = bool(fault) and at == place
            axis = BY_NAME.get(line.name)
            quiet = (counts[place] if counts else "") or (axis.about if axis else "")
            note.set_class(wrong, "-alert")
            note.show(fault if wrong else sanitise(quiet, newlines=False))
        whole = self.query_one("#sweep-count", Notes)
        whole.set_class(bool(fault), "-alert")
        whole.show(fault if at is None and fault else count)
        self.query_one("#sweep-notes", Notes).show(*notes)


def _three(lines: list[Line]) -> tuple[Line, Line, Line]:
    x, y, z = lines
    return x, y, z
