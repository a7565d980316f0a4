"""The Attention tab: where the network looked for one word."""

from __future__ import annotations

import numpy as np
from PIL import Image
from textual.app import ComposeResult

from sdcore.spec.views import AttentionView, Picture, StepView, TextView
from tui.screens.inspector.tab import ASKING, Tab, excuse
from tui.traces import Place, ViewKey, Views, attention_key, step_key, text_key
from tui.widgets.notes import Notes
from tui.widgets.panes import Row
from tui.widgets.picture_grid import Panel, PictureGrid
from tui.widgets.token_list import TokenList

_DARKEST = 0.12


class AttentionTab(Tab):
    """The words, and for the chosen one a heat map beside the image that it lights."""

    NAME = "Attention"
    MOMENT = "attention"
    HELP = (
        "Where the cross-attention looked for one token of the prompt: ↑ and ↓ choose it, a goes from this step to the "
        "whole run and back. The network runs again for it, so this waits for a job that is running."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.whole_run = False

    def compose(self) -> ComposeResult:
        """The words on the left, the pictures on the right."""
        with Row(id="attention"):
            yield TokenList(id="attention-tokens")
            yield PictureGrid(id="attention-pictures")
        yield Notes(id="attention-notes")

    def wanted(self, place: Place) -> tuple[ViewKey, ...]:
        """The words first; then the map, and the image under it."""
        token = self.query_one(TokenList).chosen
        if token is None:
            return (text_key(place),)
        return (
            text_key(place),
            step_key(place),
            attention_key(place, token.position, whole_run=self.whole_run),
        )

    def likely(self, place: Place) -> tuple[ViewKey, ...]:
        """Not the map: it runs the network."""
        return (step_key(place),)

    def show(self, place: Place, views: Views) -> None:
        """The map of the chosen word; the one before it until it is there."""
        tokens, grid, notes = self.query_one(TokenList), self.query_one(PictureGrid), self.query_one(Notes)
        text = views.get(text_key(place))
        if isinstance(text, TextView):
            had_none = tokens.chosen is None
            tokens.show([token for token in text.prompt.tokens if token.kind in ("word", "end")])
            if had_none:
                self.change()
        token = tokens.chosen
        if token is None:
            grid.show_hint(excuse(views, text_key(place)))
            return
        key = attention_key(place, token.position, whole_run=self.whole_run)
        view, step = views.get(key), views.get(step_key(place))
        when = "over the whole run" if self.whole_run else f"at k {place.step}"
        other = "a: this step" if self.whole_run else "a: the whole run"
        if not isinstance(view, AttentionView):
            if not grid.panels or views.problem(key):
                grid.show_hint(excuse(views, key))
            asking = f"{ASKING} The network runs again to see where it looked {when}."
            notes.show("" if views.problem(key) else asking)
            return
        panels = [Panel(f"attention {when}", view.heat)]
        if isinstance(step, StepView):
            panels.append(Panel(f"x0 at k {place.step}, lit by it", lit(step.denoised, view.heat)))
        grid.show(*panels)
        notes.show(f"White: the largest share of attention of a place, {view.strongest:.1%}. {other}.")

    def move(self, rows: int) -> None:
        """Choose the word above or below."""
        self.query_one(TokenList).move(rows)

    def on_token_list_chosen(self, message: TokenList.Chosen) -> None:
        """Ask for another map."""
        message.stop()
        self.change()

    def toggle_whole_run(self) -> None:
        """From this step to the whole run, and back."""
        self.whole_run = not self.whole_run
        self.change()


def lit(picture: Picture, heat: Picture) -> Picture:
    """`picture` dark where `heat` (grey) is black, as it is where that is white; in the picture's size."""
    size = (picture.width, picture.height)
    image = np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)
    grey = Image.frombytes("RGB", (heat.width, heat.height), heat.rgb).convert("L")
    grey = grey.resize(size, Image.Resampling.BICUBIC)
    light = _DARKEST + (1 - _DARKEST) * np.asarray(grey, np.float32)[..., None] / 255
    return Picture(width=picture.width, height=picture.height, rgb=(image * light).astype(np.uint8).tobytes())
