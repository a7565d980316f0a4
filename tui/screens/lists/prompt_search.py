"""The prompts used before: found by a few of their letters, looked at whole, brought back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sdcore.library.history import Entry
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.fuzzy import Fuzzy
from tui.once_begun import once_begun
from tui.parameter_rows import ROWS
from tui.screens.lists.chooser import ChoiceList, Narrowed

MOST_SHOWN: Final = 120
"""So many of the prompts that fit are listed, the closest: who wants another one types another letter."""
_HINT: Final = "⏎ take the prompt · ^O take all of it · type to search · esc"
_NOTHING: Final = "No prompt yet: every one that an image is made from is kept here."
_NO_FIT: Final = "No prompt has these words; backspace takes letters back."


class Taken(msgspec.Struct, frozen=True):
    """A prompt that was taken: it alone, or all that is known of it."""

    entry: Entry
    whole: bool


class PromptSearch(Narrowed[Taken], inherit_bindings=False):
    """Returns what was taken of `entries`, the newest first; None when closed without it."""

    CSS_PATH = "prompt_search.tcss"
    BINDINGS = bindings("history")

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._entries = entries
        self._prompts: list[str] = []
        self._fuzzy: Fuzzy | None = None
        self._shown: list[int] = []
        self._found_by: str | None = None
        """What was searched for last; None before the first time."""
        self._asked: bool | None = None
        """What Enter (False) or ^O (True) asked for while the search went on."""

    def compose(self) -> ComposeResult:
        """The list, and under it the prompt under the cursor."""
        with Vertical(id="prompt-search"):
            yield ChoiceList(id="prompt-list", markup=False)
            yield Static(id="prompt-whole", markup=False)

    def on_mount(self) -> None:
        """All of them, as soon as the width is known."""
        self.query_one(ChoiceList).focus()
        self._say_typed()

    def on_resize(self) -> None:
        """Lines are cut elsewhere."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        self._say_typed()
        width = self.query_one(ChoiceList).measure()
        self.run_worker(once_begun(self._search, self._typed, width), group="search", exclusive=True)

    async def _search(self, query: str, width: int) -> None:
        """Search, and draw the lines, on a thread: drawing some hundred takes longer than a key may."""
        shown, lines = await asyncio.to_thread(self._found, query, width)
        if not self.is_running:
            return
        self._shown, self._found_by = shown, query
        self._list(lines)
        if self._asked is not None:
            self._take(whole=self._asked)

    def _found(self, query: str, width: int) -> tuple[list[int], list[Content]]:
        if self._fuzzy is None:
            self._prompts = [sanitise(entry.prompt) for entry in self._entries]
            self._fuzzy = Fuzzy(self._prompts)
        shown = self._fuzzy.search(query)
        return shown, [self._line(index, query, width) for index in shown[:MOST_SHOWN]]

    def _list(self, lines: Sequence[Content]) -> None:
        options = self.query_one(ChoiceList)
        options.clear_options()
        options.add_options(lines)
        if not lines:
            said = _NO_FIT if self._entries else _NOTHING
            options.add_option(Option(Content.styled(said, "$dim"), disabled=True))
            self.query_one("#prompt-whole", Static).update("")
        options.highlighted = 0 if lines else None
        self._say_typed()

    def _say_typed(self) -> None:
        box = self.query_one("#prompt-search")
        every, fitting = len(self._entries), len(self._shown)
        count = f"{fitting:,} of {every:,}" if self._found_by else f"{every:,}"
        box.border_title = Content(f"prompt history · {count}" if every else "prompt history")
        typed = f"{sanitise(self._typed, newlines=False)}▏" if self._typed else _HINT
        box.border_subtitle = Content(typed)

    def _letters(self, index: int, query: str) -> list[int]:
        return self._fuzzy.letters(index, query) if self._fuzzy is not None and query else []

    def _line(self, index: int, query: str, width: int) -> Content:
        """A prompt on one line, from its beginning or from shortly before the first letter that it was found by."""
        text, letters = self._prompts[index].replace("\n", " "), self._letters(index, query)
        start = 0
        if letters and letters[0] >= width - 2:
            start = text.rfind(" ", 0, max(1, letters[0] - width // 3)) + 1
        mark = "…" if start else ""
        shown = _painted(text, letters)[start:]
        return (Content.styled(mark, "$dim") + shown).truncate(max(1, width), ellipsis=True)

    # What is under the cursor

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show all of it, with what else is known."""
        event.stop()
        if event.option_index >= len(self._shown):
            return
        index = self._shown[event.option_index]
        entry = self._entries[index]
        parts = [_painted(self._prompts[index], self._letters(index, self._found_by or ""))]
        negative = sanitise(entry.negative_prompt)
        if negative:
            parts.append(Content.styled(f"not: {negative}", "$dim"))
        if known := settings_line(entry.recipe()):
            parts.append(Content.styled(known, "$dim"))
        self.query_one("#prompt-whole", Static).update(Content("\n").join(parts))

    def on_key(self, event: events.Key) -> None:
        """Enter while the search goes on: a list without a line under its cursor would tell nobody."""
        if event.key == "enter" and self._found_by != self._typed:
            event.stop()
            event.prevent_default()
            self._take(whole=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the prompt alone."""
        event.stop()
        self._take(whole=False)

    def action_whole(self) -> None:
        """Take the negative prompt and the parameters, too."""
        self._take(whole=True)

    def _take(self, *, whole: bool) -> None:
        """Take what is under the cursor, once it is what was typed for."""
        self._asked = whole if self._found_by != self._typed else None
        at = self.query_one(ChoiceList).highlighted
        if self._asked is None and at is not None and self._shown:
            self.dismiss(Taken(self._entries[self._shown[at]], whole=whole))


def _painted(text: str, letters: Sequence[int]) -> Content:
    content = Content.styled(text, "$normal")
    for letter in letters:
        content = content.stylize("bold $accent", letter, letter + 1)
    return content


def settings_line(recipe: Recipe | None) -> str:
    """The parameters of a recipe that are not at rest, as one line; "" where none is known."""
    if recipe is None:
        return ""
    told = [
        f"{row.title} {value}"
        for row in ROWS
        if row.name != "seed" and not row.rests(recipe) and (value := row.write(recipe))
    ]
    return sanitise(" · ".join(told), newlines=False)
