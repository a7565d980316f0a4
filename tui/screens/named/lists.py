"""A list of things that a person keeps under names: looked at, taken, made, edited, renamed, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.once_begun import once_begun
from tui.screens.lists.ask import Ask
from tui.screens.lists.chooser import Choice, ChoiceList, Chooser, Narrowed

_T = TypeVar("_T")
_CORNERS: Final = 4
"""Cells of the border beside what stands in it."""
_NO_FIT: Final = "Nothing is called so; backspace takes letters back."


class NamedList(Narrowed[_T], inherit_bindings=False):
    """The list. A subclass says in `load` what there is, in `look` what one is, and what the keys do to it; what reads
    or writes a file is called on a thread. Errors of the type `FAULTS` are said in the screen and change nothing."""

    CSS_PATH = "named_list.tcss"
    BINDINGS = bindings("named")
    TITLE_TEXT: str = ""
    EMPTY: str = ""
    """What is said where there is nothing yet."""
    HINTS: tuple[str, ...] = ()
    """Its keys: those that come last are not named where there is little room."""
    WITHOUT: tuple[str, ...] = ()
    """The keys that do something where there is nothing yet."""
    FAULTS: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._shown: list[str] = []
        self._at = ""
        self._said = ""

    # What a subclass says

    def load(self) -> tuple[Sequence[str], Sequence[str]]:
        """The names, and a sentence for what could not be read. Reads the disk."""
        raise NotImplementedError

    def look(self, name: str) -> Content:
        """What stands under the list while the cursor is on this name; "" where it is on none."""
        raise NotImplementedError

    def line(self, name: str) -> Content:
        """Its line of the list."""
        return Content.styled(sanitise(name, newlines=False), "$normal")

    def take(self, name: str) -> None:
        """Enter on this name; "" where there is none."""
        raise NotImplementedError

    async def make(self) -> None:
        """Keep something new."""
        raise NotImplementedError

    async def change(self, name: str) -> None:
        """Edit what is called so."""
        raise NotImplementedError

    def call(self, old: str, new: str) -> None:
        """Rename on the disk."""
        raise NotImplementedError

    def forget(self, name: str) -> str:
        """Delete on the disk; returns what is to be said of it."""
        raise NotImplementedError

    # The screen

    def compose(self) -> ComposeResult:
        """The list, what is under the cursor, and a line for what is to be said."""
        with Vertical(id="named"):
            yield ChoiceList(id="named-list", markup=False)
            yield Static(id="named-look", markup=False)
            yield Static(id="named-said", markup=False)

    def on_mount(self) -> None:
        """Look what there is."""
        self.query_one(ChoiceList).focus()
        self._show_hint()
        self.reload()

    def on_resize(self) -> None:
        """Lines are cut elsewhere."""
        self.call_after_refresh(self._fill)

    def reload(self, at: str = "") -> None:
        """Look again, and put the cursor on `at`."""
        self._at = at or self._at
        self.run_worker(once_begun(self._reload), group="reload", exclusive=True)

    async def _reload(self) -> None:
        names, problems = await asyncio.to_thread(self.load)
        self._names = list(names)
        if not self.is_attached:
            return
        if problems:
            self.say(" ".join(problems), alert=True)
        self._fill()

    def _fill(self) -> None:
        options = self.query_one(ChoiceList)
        words = self._typed.casefold().split()
        self._shown = [name for name in self._names if all(word in name.casefold() for word in words)]
        with self.prevent(OptionList.OptionHighlighted):
            options.clear_options()
            options.add_options(Option(self.line(name)) for name in self._shown)
            if not self._shown:
                said = _NO_FIT if self._names else self.EMPTY
                options.add_option(Option(Content.styled(said, "$dim"), disabled=True))
            at = self._shown.index(self._at) if self._at in self._shown else 0
            options.highlighted = at if self._shown else None
        self._look()
        self._show_hint()

    def _look(self) -> None:
        at = self.query_one(ChoiceList).highlighted
        self._at = self._shown[at] if at is not None and at < len(self._shown) else ""
        self.query_one("#named-look", Static).update(self.look(self._at))

    def _show_hint(self) -> None:
        box = self.query_one("#named")
        count = f" · {len(self._names)}" if self._names else ""
        box.border_title = Content(f"{self.TITLE_TEXT}{count}")
        box.set_class(not self._names, "-empty")
        typed = (
            f"{sanitise(self._typed, newlines=False)}▏"
            if self._typed
            else self._hint(box.size.width - _CORNERS)
        )
        box.border_subtitle = Content(typed)

    def _hint(self, room: int) -> str:
        hints = list(self.HINTS if self._names else self.WITHOUT)
        while hints and cell_len(" · ".join((*hints, "esc"))) > room:
            hints.pop()
        return " · ".join((*hints, "esc"))

    def say(self, sentence: str, *, alert: bool = False) -> None:
        """Say one sentence under the list."""
        shown = Content.styled(sanitise(sentence, newlines=False), "$alert" if alert else "$normal")
        self.query_one("#named-said", Static).update(shown)

    @property
    def said(self) -> str:
        """What is said."""
        return str(self.query_one("#named-said", Static).content)

    @property
    def at(self) -> str:
        """The name under the cursor, "" where there is none."""
        return self._at

    @property
    def names(self) -> list[str]:
        """What is listed."""
        return list(self._shown)

    # Keys

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show what is under the cursor."""
        event.stop()
        self._look()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it."""
        event.stop()
        self.take(self._at)

    def action_new(self) -> None:
        """Keep something new."""
        self.run_worker(once_begun(self.make), group="ask", exclusive=True)

    def action_edit(self) -> None:
        """Edit what is under the cursor."""
        if self._at:
            self.run_worker(once_begun(self.change, self._at), group="ask", exclusive=True)

    def action_rename(self) -> None:
        """Call it something else."""
        if self._at:
            self.run_worker(once_begun(self._rename, self._at), group="ask", exclusive=True)

    async def _rename(self, old: str) -> None:
        def complaint(new: str) -> str:
            try:
                self.call(old, new)
            except self.FAULTS as fault:
                return str(fault)
            return ""

        new = await self.app.push_screen_wait(
            Ask("rename", f"{old} is called from now on:", old, check=complaint)
        )
        if new is not None:
            self.reload(new)

    def action_delete(self) -> None:
        """Delete what is under the cursor, once that was said again."""
        if self._at:
            self.run_worker(once_begun(self._delete, self._at), group="ask", exclusive=True)

    async def _delete(self, name: str) -> None:
        shown = sanitise(name, newlines=False)
        answer = await self.app.push_screen_wait(
            Chooser("delete", [Choice("delete", f"Delete {shown}"), Choice("keep", "Keep it")])
        )
        if answer == "delete" and await self.attempt(lambda: self.forget(name)):
            self.reload()

    async def attempt(self, action: Callable[[], str | None]) -> bool:
        """Do something with files on a thread, and say what it says or why it failed; whether it went well."""
        try:
            said = await asyncio.to_thread(action)
        except self.FAULTS as fault:
            self.say(str(fault), alert=True)
            return False
        self.say(said or "")
        return True

    async def ask_name(
        self, title: str, about: str, name: str = "", check: Callable[[str], str] | None = None
    ) -> str | None:
        """A name for something new; None when the person thought better of it."""
        taken = set(self._names)

        def complaint(answer: str) -> str:
            if answer in taken:
                return f"There is one called {answer} already; choose another name."
            return check(answer) if check is not None else ""

        return await self.app.push_screen_wait(Ask(title, about, name, check=complaint))
