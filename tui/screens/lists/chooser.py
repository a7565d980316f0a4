"""A list to take one thing from, each with a sentence that says what it is; typing narrows it."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import msgspec
from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.typed import typed

_LONG = 8
NO_FIT: Final = "Nothing fits what you typed; Backspace takes letters back."
_T = TypeVar("_T")


class Choice(msgspec.Struct, frozen=True):
    """One line of a list: what it stands for, its name, and what it is; with a `reason` it cannot be taken."""

    value: str
    name: str
    summary: str = ""
    reason: str = ""


_PADDING: Final = 2


class ChoiceList(OptionList, inherit_bindings=False):
    """The lines of the list, with keys of the registry alone."""

    BINDINGS = bindings("list")

    class RoomChanged(Message):
        """There is more room for a line, or less, than was measured: a scrollbar came or went."""

    def __init__(self, *, id: str | None = None, markup: bool = True) -> None:
        super().__init__(id=id, markup=markup)
        self._room = 0

    def measure(self) -> int:
        """The cells that a line has; `RoomChanged` says when that is no longer so."""
        self._room = self.scrollable_content_region.width
        return self._room - _PADDING

    def on_resize(self) -> None:
        """Keep the cursor in sight. Say it where another room was measured: a list that grows has a scrollbar before it
        has grown."""
        self.scroll_to_highlight()
        if self._room not in (0, self.scrollable_content_region.width):
            self.post_message(self.RoomChanged())


class Narrowing(Screen[_T], Generic[_T], inherit_bindings=False):
    """A screen with a list that typing narrows. A subclass fills it by what is `_typed`."""

    SPACE_TYPES = True
    """Whether a space parts words; otherwise it is a key like others."""
    _typed = ""

    def _fill(self) -> None:
        raise NotImplementedError

    def on_choice_list_room_changed(self) -> None:
        """Cut the lines to the room that they have now."""
        self._fill()

    def on_key(self, event: events.Key) -> None:
        """Letters narrow the list."""
        character = typed(event) if isinstance(self.focused, ChoiceList) else ""
        if character and (character != " " or (self._typed and self.SPACE_TYPES)):
            event.stop()
            self._typed += character
            self._fill()

    def action_erase(self) -> None:
        """Take the last letter back."""
        self._typed = self._typed[:-1]
        self._fill()


class Narrowed(ModalScreen[_T | None], Narrowing[_T | None], Generic[_T], inherit_bindings=False):
    """A list over another screen to take one thing from; returns None when closed."""

    HELP = (
        "A list to take one thing from. Type a part of what you look for, and only what holds it stays; ↑ and ↓ go "
        "through the rest, Enter takes the line under the cursor, Escape leaves everything as it was."
    )

    def action_close(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)


class Chooser(Narrowed[str], inherit_bindings=False):
    """Returns the value of the choice taken, None when closed without one."""

    def __init__(self, title: str, choices: list[Choice], *, present: str = "", question: str = "",
                 empty: str = NO_FIT) -> None:  # fmt: skip
        super().__init__()
        self._title = title
        self._choices = choices
        self._present = present
        self._question = question
        self._empty = empty

    def compose(self) -> ComposeResult:
        """Just the list, with the title in its border."""
        yield ChoiceList(id="choices", markup=False)

    def on_mount(self) -> None:
        """Fill the list and put the cursor on what is set now."""
        self._fill()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it."""
        event.stop()
        if event.option.id is not None:
            self.dismiss(self._choices[int(event.option.id)].value)

    def _fill(self) -> None:
        options = self.query_one(ChoiceList)
        options.border_title = Content(sanitise(self._title, newlines=False))
        options.clear_options()
        wanted = self._typed.casefold()
        shown = [(index, choice) for index, choice in enumerate(self._choices)
                 if wanted in choice.name.casefold() or wanted in choice.summary.casefold()]  # fmt: skip
        if self._question:
            options.add_option(Option(Content.styled(self._question, "$normal"), disabled=True))
        options.add_options(
            Option(self._line(choice), id=str(index), disabled=bool(choice.reason)) for index, choice in shown
        )
        if not shown:
            options.add_option(Option(Content.styled(self._empty, "$dim"), disabled=True))
        able = [place for place, (_, choice) in enumerate(shown) if not choice.reason]
        at = next(
            (place for place in able if shown[place][1].value == self._present), able[0] if able else None
        )
        options.highlighted = None if at is None else at + bool(self._question)
        hints = (("⏎ choose", bool(able)), ("type to search", len(self._choices) > _LONG), ("esc", True))
        hint = " · ".join(words for words, holds in hints if holds)
        options.border_subtitle = Content(
            f"{sanitise(self._typed, newlines=False)}▏" if self._typed else hint
        )

    def _line(self, choice: Choice) -> Content:
        tone = "$accent" if choice.value == self._present else "$bright"
        name = Content.styled(sanitise(choice.name, newlines=False), "$dim" if choice.reason else tone)
        below = [line for line in (*choice.summary.split("\n"), choice.reason) if line]
        return name + Content.styled(
            "".join(f"\n  {sanitise(line, newlines=False)}" for line in below), "$dim"
        )
