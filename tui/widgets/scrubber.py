"""The step line: where in the run one looks, with what its step is told and took, and a bar to scrub."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.traces import Place

_SHORTEST_BAR = 8
_NOISE = {-2: "initial noise", -1: "scaled noise"}


class Scrubber(Widget):
    """A bar as long as the run, dotted where it is not yet recorded; a click goes to a step."""

    class Moved(Message):
        """The bar was clicked at `step`."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._place: Place | None = None
        self._playing = False

    @property
    def text(self) -> str:
        """What the line says beside its bar."""
        return " · ".join(self._facts()) if self._place is not None else ""

    def show(self, place: Place, *, playing: bool = False) -> None:
        """Show this place."""
        if (place, playing) != (self._place, self._playing):
            self._place, self._playing = place, playing
            self.refresh()

    def _facts(self) -> list[str]:
        place = self._place
        if place is None:
            return []
        info, step = place.info, place.step
        total = len(info.timesteps)
        wide = len(str(total))
        facts = [f"k {step:>{wide}}/{total}"] if step >= 0 else [_NOISE[step]]
        if 0 <= step < total:
            facts += [f"t {info.timesteps[step]:>3.0f}", f"σ {info.sigmas[step]:>6.3f}"]
            if step < len(info.seconds):
                facts.append(f"{info.seconds[step] * 1000:>3.0f} ms")
        if info.recorded < total:
            facts.append(f"{info.recorded} recorded")
        if info.recipe.batch_size > 1:
            facts.append(f"image {place.image + 1} of {info.recipe.batch_size}")
        return facts

    def _cells(self) -> int:
        return max(_SHORTEST_BAR, self.size.width - len(self.text) - 8)

    def render(self) -> Content:
        """The bar between its two keys on the left, the facts on the right."""
        place = self._place
        if place is None:
            return Content("")
        facts = self._facts()
        while len(" · ".join(facts)) > self.size.width - _SHORTEST_BAR - 8:
            facts.pop()
        cells = max(_SHORTEST_BAR, self.size.width - len(" · ".join(facts)) - 8)
        total = max(1, len(place.info.timesteps))
        at = round(max(0, place.step) / max(1, total - 1) * (cells - 1))
        seen = round(max(0, place.info.recorded - 1) / max(1, total - 1) * (cells - 1))
        parts = [
            Content.styled(" ▸ " if self._playing else " ← ", "$accent" if self._playing else "$dim"),
            Content.styled("━" * at, "$accent"),
            Content.styled("●", "bold $accent"),
            Content.styled("─" * max(0, seen - at), "$dim"),
            Content.styled("·" * (cells - 1 - max(seen, at)), "$line"),
            Content.styled(" → ", "$dim"),
            Content.styled(f" {' · '.join(facts)}", "$normal"),
        ]
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Go to the step under the pointer."""
        if self._place is None:
            return
        cells = self._cells()
        total = len(self._place.info.timesteps)
        if 3 <= event.x < 3 + cells:
            self.post_message(self.Moved(round((event.x - 3) / max(1, cells - 1) * max(0, total - 1))))
