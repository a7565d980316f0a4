"""A question that is answered by a line of text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.files import complete
from tui.once_begun import once_begun
from tui.widgets.line_input import LineInput

Check = Callable[[str], str]
"""Says what is wrong with an answer in one sentence, "" where nothing is. Called on a thread."""


def nothing_wrong(answer: str) -> str:
    """Every answer will do."""
    return ""


class Ask(ModalScreen[str | None], inherit_bindings=False):
    """Returns what was typed, without the spaces around it; None when closed or empty. `about` says what is asked for;
    an answer that `check` complains of stays to be mended."""

    HELP = (
        "A question that is answered by a line of text. Enter takes the answer, what is wrong with it is said below "
        "the line; Escape leaves everything as it was. Where something stands dim after the cursor, Tab or → takes it."
    )
    BINDINGS = bindings("ask")
    CSS_PATH = "ask.tcss"

    def __init__(self, title: str, about: str, answer: str = "", *, hint: str = "",
                 suggester: Suggester | None = None, check: Check = nothing_wrong) -> None:  # fmt: skip
        super().__init__()
        self._title = title
        self._about = about
        self._check = check
        self._line = LineInput(answer, hint=hint, suggester=suggester)

    def compose(self) -> ComposeResult:
        """What is asked, the line, and what is wrong with it."""
        with Vertical(id="ask"):
            yield Static(Content.styled(sanitise(self._about), "$dim"), id="ask-about", markup=False)
            yield self._line
            yield Static(id="ask-complaint", markup=False)

    def on_mount(self) -> None:
        """The keys are for the line."""
        box = self.query_one("#ask")
        box.border_title = Content(sanitise(self._title, newlines=False))
        box.border_subtitle = "⏎ done · esc"
        self._line.focus()

    @property
    def complaint(self) -> str:
        """What is wrong with what was typed."""
        return str(self.query_one("#ask-complaint", Static).content)

    def on_input_changed(self, event: Input.Changed) -> None:
        """What was wrong may be right now."""
        event.stop()
        self.query_one("#ask-complaint", Static).update("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Done, if nothing is wrong with it."""
        event.stop()
        if event.value.strip():
            self.run_worker(once_begun(self._submit, event.value.strip()), group="ask", exclusive=True)
        else:
            self.dismiss(None)

    async def _submit(self, answer: str) -> None:
        complaint = await asyncio.to_thread(self._check, answer)
        if not complaint:
            self.dismiss(answer)
        elif self.is_current:
            shown = Content.styled(sanitise(complaint, newlines=False), "$alert")
            self.query_one("#ask-complaint", Static).update(shown)

    def action_close(self) -> None:
        """Never mind."""
        self.dismiss(None)


class FolderSuggester(Suggester):
    """Completes the path of a folder."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The path as far as it can be told, None where it cannot."""
        rest = await asyncio.to_thread(complete, value, "weights")
        return f"{value}{rest}" if rest.endswith("/") and rest == sanitise(rest, newlines=False) else None


class WordSuggester(Suggester):
    """Completes the last of some words that commas part, or spaces."""

    def __init__(self, words: Sequence[str], parts: str = ",") -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._words = words
        self._parts = parts

    async def get_suggestion(self, value: str) -> str | None:
        """The first word that begins so, and is longer."""
        begun = value.rpartition(self._parts)[2].lstrip(" -").casefold()
        fitting = (word for word in self._words if begun and word.casefold().startswith(begun))
        word = next((one for one in fitting if len(one) > len(begun)), "")
        rest = sanitise(word, newlines=False)[len(begun) :]
        return f"{value}{rest}" if rest else None
