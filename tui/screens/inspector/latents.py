"""The Latents tab: every channel as a grey picture, with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

from textual.app import ComposeResult

from sdcore.spec.views import ChannelView, LatentsView
from tui.screens.inspector.tab import Tab, excuse
from tui.traces import Place, ViewKey, Views, latents_key
from tui.widgets.notes import Notes
from tui.widgets.picture_grid import Panel, PictureGrid

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_BARS_HIGH = 2


class LatentsTab(Tab):
    """The channels; left of the first step lies the noise that it began with."""

    NAME = "Latents"
    MOMENT = "latents"
    HELP = (
        "The latents before this step, a picture for each channel, black and white at the same values in all of them. "
        "Left of step 0 lies the initial noise after and before it is scaled to the first σ."
    )
    FIRST_STEP = -2

    def compose(self) -> ComposeResult:
        """The pictures, and a sentence on their shape."""
        yield PictureGrid(id="channels")
        yield Notes(id="latents-notes")

    def wanted(self, place: Place) -> tuple[ViewKey, ...]:
        """The latents here."""
        return (latents_key(place),)

    def show(self, place: Place, views: Views) -> None:
        """The channels here."""
        view = views.get(latents_key(place))
        grid = self.query_one(PictureGrid)
        if not isinstance(view, LatentsView):
            if not grid.panels or views.problem(latents_key(place)):
                grid.show_hint(excuse(views, latents_key(place)))
            return
        grid.show(*(
            Panel(f"channel {index}" if len(view.channels) < 10 else f"ch {index}", channel.picture,
                  partial(channel_lines, channel), smooth=False)
            for index, channel in enumerate(view.channels)
        ))  # fmt: skip
        self.query_one(Notes).show(_where(place), _reduction(view))


def _where(place: Place) -> str:
    scale = f"{place.info.init_noise_sigma:.4g}"
    return {
        -2: "The noise as the seed drew it, before it is scaled.",
        -1: f"The initial noise times init_noise_sigma, {scale}: {_begun(place)}",
    }.get(place.step, f"The latents before step {place.step}.")


def _begun(place: Place) -> str:
    recipe = place.info.recipe
    if recipe.init_image and not (recipe.mask_image and recipe.strength == 1):
        return "step 0 starts from the picture with this on it."
    return "what step 0 starts from."


def _reduction(view: LatentsView) -> str:
    latents, pixels = (" × ".join(map(str, shape)) for shape in (view.latent_shape, view.pixel_shape))
    return (
        f"{latents} = {prod(view.latent_shape):,} numbers stand for {pixels} = {prod(view.pixel_shape):,}: "
        f"{view.reduction:g} times fewer."
    )


def channel_lines(channel: ChannelView, width: int) -> Sequence[str]:
    """The numbers and the histogram of a channel in `width` cells: as much as there is room for."""
    if width < 16:
        return [_number(channel.mean), f"± {channel.deviation:.2f}"]
    named = (("mean", channel.mean), ("deviation", channel.deviation), ("min", channel.minimum),
             ("max", channel.maximum))  # fmt: skip
    if width < 34:
        numbers = [f"{name:<9}{_number(value):>7}" for name, value in named]
    else:
        numbers = [
            "  ".join(f"{name:<9}{_number(value):>7}" for name, value in named[start : start + 2])
            for start in (0, 2)
        ]
    return [*numbers, *_histogram(channel.histogram, 16 if width < 34 else 32)]


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _histogram(counts: Sequence[int], columns: int) -> list[str]:
    """The histogram in block characters, `_BARS_HIGH` lines of `columns`."""
    together = max(1, len(counts) // columns)
    sums = [sum(counts[start : start + together]) for start in range(0, len(counts), together)]
    top = max(sums, default=0) or 1
    heights = [max(int(count > 0), round(count / top * 8 * _BARS_HIGH)) for count in sums]
    lines = reversed(range(_BARS_HIGH))
    return ["".join(_EIGHTHS[max(0, min(8, height - 8 * line))] for height in heights) for line in lines]
