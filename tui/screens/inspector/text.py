"""The Text tab: both prompts as the network reads them."""

from __future__ import annotations

from textual.app import ComposeResult

from sdcore.spec.views import TextView
from tui.screens.inspector.tab import Tab, excuse
from tui.traces import Place, ViewKey, Views, text_key
from tui.widgets.notes import Notes, unbroken
from tui.widgets.panes import Row
from tui.widgets.token_table import TokenTable

_WHY = (
    "Padding differs from place to place, too: each position has a positional embedding of its own. "
    "dist: to the unconditional embedding at the same position."
)
_SIGNS = "⊢ start  ⊣ end  · padding"
_NO_NEGATIVE = "Without guidance nothing is unconditional."
_TALL = 26


class TextTab(Tab):
    """Two tables and the shapes of the tensors on the way."""

    NAME = "Text"
    MOMENT = "text"
    HELP = (
        "The positions that the text encoder reads of each prompt, 77 at a time: id, token, whether the mask lets it "
        "be attended to, the norm of its embedding and the distance to the unconditional one. ↑ and ↓ scroll, e "
        "unfolds padding."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._unfolded = False
        self._shown: TextView | None = None

    def compose(self) -> ComposeResult:
        """The tables side by side, the sentences under them."""
        with Row(id="tokens"):
            yield TokenTable("prompt", id="prompt-tokens")
            yield TokenTable("negative prompt", id="negative-tokens")
        yield Notes(id="text-notes")

    def wanted(self, place: Place) -> tuple[ViewKey, ...]:
        """The tokens as this step read them."""
        return (text_key(place),)

    def show(self, place: Place, views: Views) -> None:
        """Both prompts."""
        view = views.get(text_key(place))
        if not isinstance(view, TextView):
            if self._shown is None:
                self._fill(None, excuse(views, text_key(place)))
        elif view is not self._shown:
            self._shown = view
            self._fill(view)

    def _fill(self, view: TextView | None, why_none: str = "") -> None:
        prompt, negative = (
            self.query_one("#prompt-tokens", TokenTable),
            self.query_one("#negative-tokens", TokenTable),
        )
        if view is None:
            prompt.show(None, unfolded=False, hint=why_none)
            negative.show(None, unfolded=False)
            return
        prompt.show(view.prompt, unfolded=self._unfolded)
        negative.show(view.negative, unfolded=self._unfolded, hint=_NO_NEGATIVE)
        self._note(view)

    def _note(self, view: TextView) -> None:
        shapes = [unbroken(f"{name} ({', '.join(map(str, shape))})") for name, shape in view.shapes]
        lines = shapes if self.size.height >= _TALL else [" → ".join(shapes)]
        self.query_one(Notes).show(*lines, f"{unbroken(_SIGNS)}. {_WHY}")

    def on_resize(self) -> None:
        """Shapes take a line each where there is room."""
        if self._shown is not None:
            self._note(self._shown)

    def move(self, rows: int) -> None:
        """Scroll both tables."""
        for table in self.query(TokenTable):
            table.scroll_relative(y=rows, animate=False)

    def unfold(self) -> None:
        """Show every position of the padding, or fold it again."""
        self._unfolded = not self._unfolded
        if self._shown is not None:
            self._fill(self._shown)
