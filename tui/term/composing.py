"""A compositor that renders only what changed.

Of a frame in which a few lines changed, Textual's has every widget on the screen render all its lines, and lays them
over each other; what did not change is thrown away at the end. That is most of what a live frame costs. Ours asks for
the changed lines of the widgets that show them. It leans on `textual._compositor`, whose inside is not public: the
minor version of Textual is pinned.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip


class SparingCompositor(Compositor):
    """Textual's compositor, but for updates of parts of the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: list[Region] = []

    def render_partial_update(self) -> ChopsUpdate | None:
        """An update of what changed, None where nothing did."""
        self._changed = list(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._changed = []

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        """Where strips are, within what they are seen, and the strips: the widgets in front first."""
        if not self._changed:
            yield from super()._get_renders(crop)
            return
        changed = self._changed
        for widget, (region, clip) in self.visible_widgets.items():
            if not changed:
                break
            seen = region.intersection(clip)
            touched = [one.intersection(seen) for one in changed if one.overlaps(seen)]
            if not touched:
                continue
            rows = Region.from_union(touched)
            lines = widget.render_lines(Region(seen.x - region.x, rows.y - region.y, seen.width, rows.height))
            if len(lines) < rows.height:  # it paints nothing of its own
                continue
            part = Region(seen.x, rows.y, seen.width, rows.height)
            yield part, part, lines
            # what it covers is not seen of the widgets behind it
            changed = [one for one in changed if not seen.contains_region(one)]
