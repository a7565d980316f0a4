"""The parameters pane: one row a setting, checked as it is typed, the fault shown under its row."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sdcore.spec.recipe import Recipe
from tui.actions import bindings
from tui.files import pasted_path
from tui.parameter_row import Row
from tui.parameter_rows import BY_NAME, PANE_ROWS, ROW_NAMES, write_rows
from tui.parameter_sheet import Sheet
from tui.typed import typed
from tui.widgets.parameter_lines import FOLD, Line, Pane, make_asides, make_lines, seen

_HELP: Final = (
    "The settings of the next image. ↑ and ↓ choose a row, digits type a value, + and - change it by a step. "
    "Enter opens the list of a model, sampler or schedule and picks a file. F8 shows the settings that rest, too."
)


class Parameters(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows of a recipe's settings, those in `names` alone. What was typed stays, right or wrong, until it is typed
    over. A row that has no effect now is not there, and those at rest are folded away."""

    ALLOW_SELECT = False
    BINDINGS = bindings("parameters")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(
            f"parameters--{part}"
            for part in ("mark", "label", "here", "value", "quiet", "accent", "fault", "raised")
        )
    }

    class Changed(Message):
        """A row changed; `row` names it."""

        def __init__(self, row: str) -> None:
            super().__init__()
            self.row = row

    class Choose(Message):
        """The person wants the list for `row`, or its files."""

        def __init__(self, row: str) -> None:
            super().__init__()
            self.row = row

    class Submitted(Message):
        """Enter was pressed on a row that is typed."""

    class Moved(Message):
        """The cursor is on another row."""

    class OwnSize(Message):
        """The person wants the size of the image that is started from."""

    def __init__(self, recipe: Recipe, *, names: tuple[str, ...] = ROW_NAMES, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = ""
        self._rows = tuple(row for row in PANE_ROWS if row.name in names)
        self._sheet = Sheet(recipe)
        self._cursor = self._rows[0].name
        self._typing = False
        self._suggestion = ""
        self._unfolded = False
        self._lines: list[Line] = []
        self.seed_locked = False
        self.seed_used = False

    # What the rows say

    def read(self, prompt: str, negative_prompt: str) -> tuple[Recipe, dict[str, str]]:
        """The recipe of these prompts and rows, and a message for each row that is wrong."""
        return self._sheet.read(prompt, negative_prompt)

    @property
    def texts(self) -> dict[str, str]:
        """The text of every row as it was typed."""
        return dict(self._sheet.texts)

    @property
    def text(self) -> str:
        """Every line, as it is seen."""
        return "\n".join(line.text for line in self._lines)

    @property
    def recipe(self) -> Recipe:
        """What the rows say, as far as they can be read; with no prompts of use."""
        return self._sheet.recipe

    @property
    def count(self) -> int:
        """How many jobs are asked for at once."""
        return self._sheet.order.count

    @property
    def about(self) -> str:
        """What the row under the cursor is for."""
        row = self._row
        return f"{row.name.capitalize()}: {row.about}\n\n{_HELP}" if row is not None else _HELP

    @property
    def family(self) -> str:
        """The family of the model that is named, "" where that is not known."""
        return self._sheet.family

    def know(self, model: str, family: str) -> None:
        """Keep to what models of `family` can do while `model` is named."""
        self._sheet.know(model, family)
        self._show()

    def set_recipe(self, recipe: Recipe) -> None:
        """Fill every row of a recipe from `recipe`."""
        self._sheet.base = recipe
        self.set_texts(write_rows(recipe))

    def set_texts(self, texts: dict[str, str]) -> None:
        """Fill the rows named in `texts`; other names are ignored."""
        self._typing = False
        self._write({name: texts[name] for name in ROW_NAMES if name in texts})

    def set_seed(self, seed: int, *, used: bool) -> None:
        """Show `seed`; `used` says that an image was made from it."""
        self._typing = False
        self.seed_used = used
        self._write({"seed": str(seed)})

    def set_lock(self, locked: bool) -> None:
        """Lock or free the seed."""
        self.seed_locked = locked
        self._show()
        self.post_message(self.Changed("seed"))

    def tell(self, name: str, note: str = "", fault: str = "") -> None:
        """Say quietly under a file's row what is so, or in the alert colour what is wrong with it; until its text
        changes."""
        self._sheet.tell(name, note, fault)
        self._show()

    def suggest(self, name: str, text: str, rest: str) -> None:
        """Offer `rest` as what completes `text`, if that still is what is typed."""
        if self._typing and self._cursor == name and self._sheet.texts[name] == text:
            self._suggestion = rest
            self._show()

    @property
    def row(self) -> str:
        """The name of the row under the cursor."""
        return self._cursor

    @property
    def typing(self) -> bool:
        """Whether the row under the cursor is being typed into."""
        return self._typing

    @property
    def unfolded(self) -> bool:
        """Whether rows at rest are seen."""
        return self._unfolded

    @property
    def _row(self) -> Row | None:
        return None if self._cursor == FOLD else BY_NAME[self._cursor]

    def _write(self, texts: dict[str, str]) -> None:
        changed = self._sheet.write(texts)
        self._suggestion = ""
        self._show()
        for name in changed:
            self.post_message(self.Changed(name))

    # Keys

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Tell Textual which keys are text here."""
        return self._row is not None and self._row.takes("", character or "")

    def on_key(self, event: events.Key) -> None:
        """Type into the row under the cursor; the first character replaces what was there."""
        row = self._row
        if row is None:
            return
        before = self._sheet.texts[row.name] if self._typing else ""
        character = typed(event)
        if (character == " " and not before) or not row.takes(before, character):
            return
        event.stop()
        event.prevent_default()
        self._type(row, before + character)

    def on_paste(self, event: events.Paste) -> None:
        """A pasted value replaces the row's, less what cannot be typed there."""
        event.stop()
        row = self._row
        if row is None:
            return
        text = pasted_path(event.text) if row.kind == "file" else event.text.strip()
        text = "".join(character for character in text if row.takes("", character))
        if text:
            self._type(row, text)

    def _type(self, row: Row, text: str) -> None:
        self._typing = True
        self._own_seed(row)
        self._write({row.name: text})

    def _own_seed(self, row: Row) -> None:
        if row.name == "seed":
            # who types a seed wants that one, and not a new one after it
            self.seed_used, self.seed_locked = False, True

    def action_move(self, rows: int) -> None:
        """Go `rows` down (negative: up), around the ends."""
        names = self._names()
        here = names.index(self._cursor) if self._cursor in names else 0
        self._move_to(names[(here + rows) % len(names)])

    def go_to(self, name: str) -> None:
        """Put focus and cursor on the row called `name`."""
        self.focus()
        if name in (row.name for row in self._rows):
            self._move_to(name)

    def _names(self) -> list[str]:
        pane = self._pane()
        return [row.name for row in seen(pane)] + ([FOLD] if pane.foldable else [])

    def _move_to(self, name: str) -> None:
        moved = name != self._cursor
        self._settle()
        self._cursor = name
        self._show()
        if moved:
            self.post_message(self.Moved())

    def _settle(self) -> None:
        """Typing ends. What was typed is written the way it is shown, where it can be read: `96x64` becomes
        `96 × 64`."""
        if self._typing and self._row is not None and self._row.kind == "file":
            # half a path was no fault; now it is a whole one
            self.post_message(self.Changed(self._cursor))
        self._typing = False
        self._write(self._sheet.proper(self._rows))

    def action_change(self, direction: int) -> None:
        """One step up or down, from the value that the row has or, if it is wrong, had. A path takes what is offered
        to complete it."""
        row = self._row
        if row is None:
            self.action_fold()
        elif row.kind == "file":
            if self._suggestion and direction > 0:
                self._type(row, self._sheet.texts[row.name] + self._suggestion)
        else:
            self._typing = False
            self._own_seed(row)
            self._write({row.name: self._sheet.changed(row, direction)})

    def action_erase(self) -> None:
        """Take the last character away."""
        row = self._row
        if row is not None and row.kind != "listed":
            text = self._sheet.texts[row.name][:-1]
            self._type(row, text if row.kind == "file" else text.rstrip(" ×"))

    def action_reset(self) -> None:
        """Back to the value of a new recipe."""
        row = self._row
        if row is not None:
            self._typing = False
            self._write({row.name: self._sheet.at_rest(row)})

    def action_choose(self) -> None:
        """Open the row's list or its files, take a path that was typed, fold, or generate."""
        row, typing = self._row, self._typing
        if row is None:
            self.action_fold()
            return
        self._settle()
        if row.kind == "typed":
            self.post_message(self.Submitted())
        elif row.kind == "listed" or not typing:
            self.post_message(self.Choose(row.name))

    def action_fold(self) -> None:
        """Show the rows that rest, or fold them away."""
        self._unfolded = not self._unfolded
        self._show()
        if self._cursor not in self._names():
            self._move_to(FOLD)

    def action_own_size(self) -> None:
        """Take the size of the image that is started from."""
        self.post_message(self.OwnSize())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked; a second click opens its list or its files, one on the fold
        opens that."""
        place = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if not 0 <= place < len(self._lines):
            return
        before, name = self._cursor, self._lines[place].row
        self._move_to(name)
        if name == FOLD:
            self.action_fold()
        elif before == name and BY_NAME[name].kind != "typed":
            self.post_message(self.Choose(name))

    def on_focus(self) -> None:
        """Show the cursor, once Textual knows of the focus."""
        self.call_next(self._show)

    def on_blur(self) -> None:
        """Hide the cursor and write what was typed properly."""
        self._settle()
        self.call_next(self._show)

    # Drawing

    def _pane(self) -> Pane:
        sheet = self._sheet
        asides = make_asides(
            sheet.recipe, self.family, count=self.count, locked=self.seed_locked, used=self.seed_used
        )
        return Pane(
            rows=self._rows, texts=sheet.texts, recipe=sheet.recipe, faults=sheet.faults, notes=sheet.notes,
            asides=asides, cursor=self._cursor, width=self.scrollable_content_region.width, focused=self.has_focus,
            typing=self._typing, unfolded=self._unfolded, suggestion=self._suggestion,
        )  # fmt: skip

    def _show(self) -> None:
        """Make the lines anew and draw those that are not as they were."""
        self._sheet.look()
        if not self.size.width:
            return
        before, self._lines = self._lines, make_lines(self._pane())
        if len(before) != len(self._lines):
            self.virtual_size = Size(0, len(self._lines))
            self.refresh(layout=True)
        else:
            for place, (old, new) in enumerate(zip(before, self._lines, strict=True)):
                if old != new:
                    self.refresh_lines(place)
        self._follow()

    def _follow(self) -> None:
        """Keep the row under the cursor in sight, with what stands under it."""
        places = [place for place, line in enumerate(self._lines) if line.row == self._cursor]
        if places and self.has_focus and len(self._lines) > self.size.height:
            region = Region(0, places[0], 1, len(places))
            self.call_after_refresh(self.scroll_to_region, region, animate=False)

    def on_resize(self) -> None:
        """Wrap what is said under the rows anew."""
        self._show()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line a row, and the lines of what is said under them."""
        return len(make_lines(msgspec.structs.replace(self._pane(), width=width)))

    def render_line(self, y: int) -> Strip:
        """Labels dim, values bright, the row under the cursor raised, messages in the alert colour."""
        width = self.scrollable_content_region.width
        place = y + self.scroll_offset.y
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[place]
        background = self.get_component_rich_style("parameters--raised") if line.raised else self.rich_style
        segments = [
            Segment(text, self.get_component_rich_style(f"parameters--{part}", partial=True))
            for text, part in line.parts
        ]
        return Strip(segments).adjust_cell_length(width).apply_style(background)
