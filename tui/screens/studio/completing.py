"""Suggestions while a prompt is written: looked up on a thread once a letter's echo is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec
from textual.geometry import Offset
from textual.timer import Timer
from textual.widgets.text_area import Location

from tui.completion import LEAST, Suggestion, Vocabulary, begun
from tui.once_begun import once_begun
from tui.screens.lists.addons import lora_names
from tui.widgets.suggestions import Suggestions

if TYPE_CHECKING:
    from tui.screens.studio.screen import Studio
    from tui.widgets.prompt import PromptEditor

DELAY: Final = 0.06
"""Seconds after a letter: its echo goes first, and letters that follow one another quickly are looked up once."""
_PROMPTS_READ: Final = 2000
_END_OF_WORD: Final = "</w>"


class _Tokens(msgspec.Struct):
    vocab: dict[str, int]


class _Tokenizer(msgspec.Struct):
    """What the `tokenizers` library writes, as far as it is read here."""

    model: _Tokens


class Completing:
    """What the studio's editors ask when words are typed, and when a key is meant for the list."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._vocabulary = Vocabulary()
        self._timer: Timer | None = None
        self._editor: PromptEditor | None = None
        self._found: list[Suggestion] = []
        self._asked_at: Location = (0, 0)
        self._at = 0
        self._entered = False

    async def open(self) -> None:
        """Learn the words of the prompts used before, and what files there are, on a thread; from then on suggest."""
        self._vocabulary = await asyncio.to_thread(self._learned)
        studio = self._studio
        if not studio.is_running:
            return  # the app was left before
        await studio.mount(Suggestions(self.take, id="suggestions"))
        studio.prompt.completer = studio.negative.completer = self
        self.learn_files()

    def _learned(self) -> Vocabulary:
        vocabulary = Vocabulary()
        entries = self._studio.remembering.walk.entries()
        vocabulary.learn(entry.prompt for entry in entries[:_PROMPTS_READ])
        vocabulary.know(_bundled_words())
        return vocabulary

    async def _name_files(self, vocabulary: Vocabulary) -> None:
        from sdcore.library.wildcards import Wildcards

        addons = await self._studio.app.stock.addons()
        family = self._studio.view.family
        vocabulary.loras = tuple(lora_names(addons, family).values())
        vocabulary.embeddings = tuple(
            one.name for one in addons if one.kind != "LoRA" and not one.misfit(family)
        )
        vocabulary.wildcards = tuple(await asyncio.to_thread(lambda: list(Wildcards().files())))

    def learn_files(self) -> None:
        """Other LoRAs and embeddings fit the model that is loaded now, or there are other wildcards."""
        self._studio.run_worker(
            once_begun(self._name_files, self._vocabulary), group="vocabulary", exclusive=True
        )

    def used(self, prompt: str) -> None:
        """A prompt was used: its words count once more."""
        self._vocabulary.learn((prompt,))

    # What the editors ask

    @property
    def is_open(self) -> bool:
        """Whether the list is there."""
        return bool(self._found)

    @property
    def is_entered(self) -> bool:
        """Whether ↑ and ↓ move in it."""
        return self.is_open and self._entered

    def typed(self, editor: PromptEditor) -> None:
        """A letter was typed or taken back: look up what it may become, in a moment."""
        if self._timer is not None:
            self._timer.stop()
        self._editor = editor
        self._timer = self._studio.set_timer(DELAY, lambda: self._look_up(editor, asked=False))

    def ask(self, editor: PromptEditor) -> None:
        """The person wants suggestions, however little was typed; or to go into the list that is there."""
        if self.is_open:
            self._entered = True
            self._show()
        else:
            self._editor = editor
            self._look_up(editor, asked=True)

    def close(self) -> None:
        """Suggest nothing until the next letter."""
        if self._timer is not None:
            self._timer.stop()
        if self.is_open:
            self._found, self._entered = [], False
            self._list.hide()

    def move(self, steps: int) -> None:
        """Mark the next suggestion, or the one before; round the ends."""
        self._at = (self._at + steps) % len(self._found)
        self._show()

    def take(self, index: int | None = None) -> None:
        """Write the marked one, or that at `index`, in place of what was begun. What no longer fits is not written."""
        editor, found = self._editor, self._found
        chosen = self._at if index is None else index
        self.close()
        if editor is None or not chosen < len(found):
            return
        before, after = _around(editor)
        fitting = self._vocabulary.suggest(before, after, asked=True)
        now = begun(before, after)
        one = next((each for each in fitting if each.name == found[chosen].name), None)
        if now is not None and one is not None:
            row, column = editor.cursor_location
            editor.complete(one.text, (row, column - now.length))
            editor.focus()

    # Looking up

    def _look_up(self, editor: PromptEditor, *, asked: bool) -> None:
        self._studio.run_worker(
            once_begun(self._suggest, editor, asked=asked), group="suggest", exclusive=True
        )

    async def _suggest(self, editor: PromptEditor, *, asked: bool) -> None:
        asked_at, (before, after) = editor.cursor_location, _around(editor)
        found = await asyncio.to_thread(self._vocabulary.suggest, before, after, asked=asked)
        if editor.cursor_location != asked_at or not editor.has_focus or _around(editor) != (before, after):
            return
        if not found:
            self.close()
            return
        stays = self._found[self._at].name if self.is_open else ""
        names = [one.name for one in found]
        self._at = names.index(stays) if self._entered and stays in names else 0
        self._found = found
        self._show()

    def _show(self) -> None:
        editor = self._editor
        now = begun(*_around(editor)) if editor is not None else None
        if editor is None or now is None:
            return
        place = editor.cursor_screen_offset - Offset(now.length + 1, 0)
        self._list.show(self._found, self._at, place, entered=self._entered)

    @property
    def _list(self) -> Suggestions:
        return self._studio.query_one(Suggestions)


def _around(editor: PromptEditor) -> tuple[str, str]:
    """The text of the line on both sides of the cursor."""
    row, column = editor.cursor_location
    line = editor.document.get_line(row)
    return line[:column], line[column:]


def _bundled_words() -> Iterator[str]:
    """The words that the bundled model knows, where it is installed."""
    from sdcore import tiny

    path = tiny.weights_folder() / "tokenizer" / "tokenizer.json"
    try:
        tokenizer = msgspec.json.decode(path.read_bytes(), type=_Tokenizer)
    except (OSError, msgspec.DecodeError):
        return
    for token in tokenizer.model.vocab:
        word = token.removesuffix(_END_OF_WORD)
        if word != token and len(word) > LEAST and word.isalpha():
            yield word
