"""The parameters pane: one row a setting, checked as it is typed, the fault shown under its row."""

from __future__ import annotations

import textwrap
from typing import Final

import msgspec
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.parameter_rows import ROW_NAMES, ROWS, accepts, read_rows, write_rows

_LABEL: Final = 12
LISTED: Final = frozenset({"model", "sampler", "schedule"})
"""The rows that are chosen from a list."""


class Parameters(Widget, can_focus=True, inherit_bindings=False):
    """Rows of a recipe's settings, those in `names` alone. What was typed stays, right or wrong, until it is typed
    over."""

    HELP = (
        "The settings of the next image. ↑ and ↓ choose a row, digits type a value, + and - change it by a step. "
        "On model, sampler and schedule, Enter opens a list that says what each does."
    )
    BINDINGS = bindings("parameters")

    class Changed(Message):
        """A row changed; `row` names it."""

        def __init__(self, row: str) -> None:
            super().__init__()
            self.row = row

    class Choose(Message):
        """The person wants the list for `row`, one of `LISTED`."""

        def __init__(self, row: str) -> None:
            super().__init__()
            self.row = row

    class Submitted(Message):
        """Enter was pressed on a row that has no list."""

    def __init__(self, recipe: Recipe, *, names: tuple[str, ...] = ROW_NAMES, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = ""
        self._rows = tuple(row for row in ROWS if row.name in names)
        self._base = recipe
        self._texts = write_rows(recipe)
        self._cursor = 0
        self._typing = False
        self._row_of_line: list[int] = []
        self.seed_locked = False
        self.seed_used = False

    # What the rows say

    def read(self, prompt: str, negative_prompt: str) -> tuple[Recipe, dict[str, str]]:
        """The recipe of these prompts and rows, and a message for each row that is wrong (see `read_rows`)."""
        base = msgspec.structs.replace(self._base, prompt=prompt, negative_prompt=negative_prompt)
        return read_rows(self._texts, base)

    @property
    def texts(self) -> dict[str, str]:
        """The text of every row as it was typed."""
        return dict(self._texts)

    def set_recipe(self, recipe: Recipe) -> None:
        """Fill every row from `recipe`."""
        self._base = recipe
        self.set_texts(write_rows(recipe))

    def set_texts(self, texts: dict[str, str]) -> None:
        """Fill the rows named in `texts`; other names are ignored."""
        self._typing = False
        for name in ROW_NAMES:
            if name in texts:
                self._write(name, texts[name])

    def set_seed(self, seed: int, *, used: bool) -> None:
        """Show `seed`; `used` says that an image was made from it."""
        self._typing = False
        self.seed_used = used
        self._write("seed", str(seed))
        self.refresh()

    def set_lock(self, locked: bool) -> None:
        """Lock or free the seed."""
        self.seed_locked = locked
        self.refresh()
        self.post_message(self.Changed("seed"))

    @property
    def row(self) -> str:
        """The name of the row under the cursor."""
        return self._rows[self._cursor].name

    def _write(self, name: str, text: str) -> None:
        if self._texts[name] != text:
            self._texts[name] = text
            self.refresh(layout=True)
            self.post_message(self.Changed(name))

    # Keys

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Tell Textual which keys are text here."""
        return accepts(self._rows[self._cursor], "", character or "")

    def on_key(self, event: events.Key) -> None:
        """Type into the row under the cursor; the first character replaces what was there."""
        row = self._rows[self._cursor]
        before = self._texts[row.name] if self._typing else ""
        if (event.key == "space" and not before) or not accepts(row, before, event.character or ""):
            return
        event.stop()
        event.prevent_default()
        self._type(row.name, before + (event.character or ""))

    def on_paste(self, event: events.Paste) -> None:
        """A pasted value replaces the row's, less what cannot be typed there."""
        row = self._rows[self._cursor]
        text = "".join(character for character in event.text.strip() if accepts(row, "", character))
        event.stop()
        if text:
            self._type(row.name, text)

    def _type(self, name: str, text: str) -> None:
        self._typing = True
        if name == "seed":
            # who types a seed wants that one, and not a new one after it
            self.seed_used, self.seed_locked = False, True
        self._write(name, text)
        self.refresh(layout=True)

    def action_move(self, rows: int) -> None:
        """Go `rows` down (negative: up), around the ends."""
        self._move_to((self._cursor + rows) % len(self._rows))

    def go_to(self, name: str) -> None:
        """Put focus and cursor on the row called `name`."""
        self.focus()
        names = [row.name for row in self._rows]
        if name in names:
            self._move_to(names.index(name))

    def _move_to(self, index: int) -> None:
        self._cursor, self._typing = index, False
        self._tidy()
        self.refresh()

    def _tidy(self) -> None:
        """Write what was typed the way it is shown, where it can be read: `96x64` becomes `96 × 64`."""
        recipe, faults = read_rows(self._texts, self._base)
        for name, text in write_rows(recipe).items():
            if name not in faults and name not in LISTED:
                self._write(name, text)

    def action_change(self, direction: int) -> None:
        """One step up or down, from the value that the row has or, if it is wrong, had."""
        row = self._rows[self._cursor]
        recipe, _ = read_rows(self._texts, self._base)
        self._typing = False
        if row.name == "seed":
            self.seed_used, self.seed_locked = False, True
        self._write(row.name, row.change(recipe, direction))

    def action_erase(self) -> None:
        """Take the last character away."""
        row = self._rows[self._cursor]
        if row.accepts:
            self._type(row.name, self._texts[row.name][:-1].rstrip(" ×"))

    def action_reset(self) -> None:
        """Back to the value of a new recipe."""
        row = self._rows[self._cursor]
        self._typing = False
        self._write(row.name, row.write(Recipe(model=self._base.model, seed=self._base.seed)))

    def action_choose(self) -> None:
        """Open the row's list, or generate."""
        self._tidy()
        self.post_message(self.Choose(self.row) if self.row in LISTED else self.Submitted())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked; a second click on a listed row opens its list."""
        if not 0 <= event.y < len(self._row_of_line):
            return
        before, index = self._cursor, self._row_of_line[event.y]
        self._move_to(index)
        if before == index and self.row in LISTED:
            self.post_message(self.Choose(self.row))

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor and write what was typed properly."""
        self._typing = False
        self._tidy()
        self.refresh()

    # Drawing

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line a row and the lines of the messages."""
        return sum(1 + len(lines) for lines in self._messages(width))

    def _messages(self, width: int) -> list[list[str]]:
        _, faults = read_rows(self._texts, self._base)
        return [textwrap.wrap(faults.get(row.name, ""), max(8, width - 4)) for row in self._rows]

    def render(self) -> Content:
        """Labels dim, values bright, the row under the cursor raised, messages in the alert colour."""
        width = max(1, self.size.width)
        lines: list[Content] = []
        self._row_of_line = []
        for index, (row, message) in enumerate(zip(self._rows, self._messages(width), strict=True)):
            lines.append(self._line(index, row.name, width))
            lines += [Content.styled(f"    {line}", "$alert") for line in message]
            self._row_of_line += [index] * (1 + len(message))
        return Content("\n").join(lines)

    def _line(self, index: int, name: str, width: int) -> Content:
        here = self.has_focus and index == self._cursor
        room = width - 2 - _LABEL
        value = sanitise(self._texts[name], newlines=False)
        if len(value) > room:
            value = value[: max(0, room - 1)] + "…"
        note = self._note(name)
        parts = [
            Content.styled("▸ " if here else "  ", "$accent"),
            Content.styled(name.ljust(_LABEL), "$normal" if here else "$dim"),
            Content.styled(value, "$bright"),
            Content.styled("▏", "$accent") if here and self._typing else Content(""),
            Content.styled(f"  {note}", "$accent" if self.seed_locked else "$dim")
            if note and len(value) + len(note) + 3 <= room
            else Content(""),
        ]
        line = Content("").join(parts)
        return line.pad_right(max(0, width - line.cell_length)).stylize_before("on $raised") if here else line

    def _note(self, name: str) -> str:
        if name == "seed":
            return "⚿ locked" if self.seed_locked else "↻ random" if self.seed_used else ""
        return ""
