"""The styles: which of them the next prompts are put into, seen before it is done; made and edited here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sdcore.library.styles import NamedTablesError, Styles
from sdcore.spec.recipe import Recipe
from sdcore.spec.sanitise import sanitise
from sdcore.spec.styles import PLACE, Style, in_style
from tui.actions import bindings
from tui.files import pasted_path
from tui.once_begun import once_begun
from tui.screens.lists.ask import Ask
from tui.screens.lists.chooser import ChoiceList
from tui.screens.named.lists import NamedList
from tui.widgets.prompt import PromptEditor

_MARKED: Final = "● "
_UNMARKED: Final = "  "


class StyleList(NamedList[tuple[str, ...]], inherit_bindings=False):
    """Returns the names of the styles to be used from now on, in the order in which they were marked; None when
    closed. `recipe` has the prompts as they stand, `marked` what is used now."""

    BINDINGS = bindings("styles", "named")
    TITLE_TEXT = "styles"
    HINTS = ("space mark", "⏎ use", "^N new", "^E edit", "^O import", "del delete", "^R rename")
    WITHOUT = ("^N new", "^O import styles.csv")
    EMPTY = "There is no style yet: ^N makes one of the present prompt, ^O takes A1111's styles.csv."
    FAULTS = (NamedTablesError,)
    SPACE_TYPES = False

    def __init__(self, recipe: Recipe, marked: Sequence[str]) -> None:
        super().__init__()
        self._recipe = recipe
        self._marked = list(marked)
        self._styles: dict[str, Style] = {}

    def load(self) -> tuple[Sequence[str], Sequence[str]]:
        """Read the file."""
        self._styles, problems = Styles().load()
        return list(self._styles), problems

    def line(self, name: str) -> Content:
        """A mark, the name, and how it begins."""
        style, marked = self._styles[name], name in self._marked
        said = " ".join((style.prompt or style.negative_prompt).split())
        return Content("").join([
            Content.styled(_MARKED if marked else _UNMARKED, "$accent"),
            Content.styled(sanitise(name, newlines=False), "$bright" if marked else "$normal"),
            Content.styled(f"  {sanitise(said)}", "$dim"),
        ]).truncate(max(8, self._room), ellipsis=True)  # fmt: skip

    @property
    def _room(self) -> int:
        return self.query_one("#named-list", ChoiceList).measure()

    def look(self, name: str) -> Content:
        """The prompts that would be sent with what is marked, and with what is under the cursor."""
        chosen = [*self._marked, *([name] if name and name not in self._marked else [])]
        made = in_style(self._recipe, (self._styles[one] for one in chosen if one in self._styles))
        used = " + ".join(sanitise(one, newlines=False) for one in chosen if one in self._styles)
        parts = [
            Content.styled(f"with {used}" if used else "without a style", "$dim"),
            Content.styled(sanitise(made.prompt), "$normal"),
        ]
        if made.negative_prompt:
            parts.append(Content.styled(f"not: {sanitise(made.negative_prompt)}", "$dim"))
        return Content("\n").join(parts)

    def take(self, name: str) -> None:
        """Use what is marked; where nothing is, the one under the cursor."""
        marked = [one for one in self._marked if one in self._styles]
        self.dismiss(tuple(marked) if marked or self._unmarked else tuple(filter(None, (name,))))

    _unmarked = False
    """Whether a mark was taken away: then nothing marked means nothing."""

    def action_mark(self) -> None:
        """Mark it, or take its mark away."""
        if not self.at:
            return
        if self.at in self._marked:
            self._marked.remove(self.at)
            self._unmarked = True
        else:
            self._marked.append(self.at)
        self._fill()

    async def make(self) -> None:
        """A style of the present prompt."""
        await self._edit(Style("", self._recipe.prompt, self._recipe.negative_prompt), new=True)

    async def change(self, name: str) -> None:
        """Edit its words."""
        await self._edit(self._styles[name], new=False)

    async def _edit(self, style: Style, *, new: bool) -> None:
        if new:
            name = await self.ask_name("a new style", "What is the style called?")
            if name is None:
                return
            style = Style(name, style.prompt, style.negative_prompt)
        edited = await self.app.push_screen_wait(StyleForm(style))
        if edited is not None and await self.attempt(lambda: Styles().put(edited)):
            self.reload(edited.name)

    def call(self, old: str, new: str) -> None:
        """Rename it; its mark goes along."""
        Styles().rename(old, new)
        self._marked = [new if one == old else one for one in self._marked]

    def forget(self, name: str) -> str:
        """Take it out of the file."""
        Styles().remove(name)
        self._marked = [one for one in self._marked if one != name]
        return f"{name} is deleted."

    def action_import(self) -> None:
        """Take A1111's styles."""
        self.run_worker(once_begun(self._import), group="ask", exclusive=True)

    async def _import(self) -> None:
        about = (
            "The path of A1111's styles.csv. Its styles are copied; yours of the same name stay as they are."
        )
        told: list[str] = []

        def complaint(answer: str) -> str:
            try:
                taken, problems = Styles().take_csv(Path(pasted_path(answer)).expanduser())
            except (NamedTablesError, ValueError, RuntimeError) as fault:
                return str(fault)
            told[:] = [f"{taken} style{'' if taken == 1 else 's'} taken.", *problems]
            return ""

        if await self.app.push_screen_wait(Ask("import", about, check=complaint)) is not None:
            self.reload()
            self.say(" ".join(told), alert=len(told) > 1)


class StyleForm(ModalScreen[Style | None], inherit_bindings=False):
    """Returns the style with its words as they were edited; None when closed without."""

    HELP = (
        "A style is words that are added to every prompt it is chosen for, and words for the negative prompt. "
        "Write {prompt} where the prompt of the studio is to stand; without it the words come after it."
    )
    CSS_PATH = "named_list.tcss"
    BINDINGS = bindings("form")

    def __init__(self, style: Style) -> None:
        super().__init__()
        self._style = style

    def compose(self) -> ComposeResult:
        """Both fragments."""
        with Vertical(id="style-form"):
            yield PromptEditor("prompt", "What the style adds to the prompt.", id="style-prompt")
            yield PromptEditor("negative", "What it adds to the negative prompt.", id="style-negative")
            said = f"{PLACE} stands for what is typed in the studio; without it the style is appended."
            yield Static(Content.styled(said, "$dim"), id="style-said", markup=False)

    def on_mount(self) -> None:
        """Fill it."""
        pane = self.query_one("#style-form")
        pane.border_title = Content(sanitise(self._style.name, newlines=False))
        pane.border_subtitle = "⏎ keep · ⇥ next · esc"
        for place, text in (
            ("#style-prompt", self._style.prompt),
            ("#style-negative", self._style.negative_prompt),
        ):
            editor = self.query_one(place, PromptEditor)
            editor.load_text(sanitise(text))
            editor.move_cursor(editor.document.end)
        self.query_one("#style-prompt").focus()

    def action_keep(self) -> None:
        """Done."""
        prompt, negative = (
            self.query_one(place, PromptEditor).text for place in ("#style-prompt", "#style-negative")
        )
        self.dismiss(Style(self._style.name, prompt, negative))

    def action_close(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)
