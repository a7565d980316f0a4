"""Of a frame, only what changed is rendered; and the screen is what it would be if all were."""

from __future__ import annotations

from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui.term.composing import SparingCompositor


class Noted(Widget):
    """Says in every cell its letter, and notes which of its lines were asked for."""

    DEFAULT_CSS = "Noted { height: 1fr; }"

    def __init__(self, letter: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.letter = letter
        self.asked: list[Region] = []

    def render_lines(self, crop: Region) -> list[Strip]:
        self.asked.append(crop)
        return [Strip([Segment(self.letter * crop.width, self.rich_style)]) for _ in range(crop.height)]


class Page(Screen[None]):
    CSS = "#front { layer: above; offset: 4 2; width: 8; height: 3; } Page { layers: below above; }"

    def __init__(self) -> None:
        super().__init__()
        self._compositor = SparingCompositor()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Noted("a", id="first")
            yield Noted("b", id="second")
        yield Noted("c", id="front")


class Paged(App[None]):
    def on_mount(self) -> None:
        self.push_screen(Page())


def shown(app: App[None]) -> list[str]:
    """What the screen shows when all of it is drawn."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def changed(app: App[None]) -> dict[int, str]:
    """The lines that an update of what changed writes, each a text of its parts."""
    update = app.screen._compositor.render_partial_update()
    assert update is not None
    lines: dict[int, str] = {}
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x <= x2 and end > x1:
                lines[y] = lines.get(y, "") + strip.crop(max(0, x1 - x), min(end, x2) - x).text
    return lines


async def test_one_line_of_one_widget() -> None:
    app = Paged()
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        widgets = {widget.id: widget for widget in app.screen.query(Noted)}
        for widget in widgets.values():
            widget.asked.clear()
        app.screen._compositor._dirty_regions = {Region(0, 6, 20, 1)}
        assert changed(app) == {6: "b" * 20}
        assert {id: widget.asked for id, widget in widgets.items()} == {
            "first": [], "second": [Region(0, 2, 20, 1)], "front": [],
        }  # fmt: skip


async def test_what_lies_over_it_stays() -> None:
    app = Paged()
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        whole = shown(app)
        assert whole[2] == "aaaaccccccccaaaaaaaa"
        for region in (Region(0, 0, 20, 4), Region(0, 2, 20, 1), Region(6, 1, 10, 5), Region(0, 0, 20, 8)):
            app.screen._compositor._dirty_regions = {region, Region(0, 7, 20, 1)}
            written = changed(app)
            for y, text in written.items():
                wanted = whole[y][region.x : region.right] if y in range(region.y, region.bottom) else ""
                assert text == (whole[y] if y == 7 else wanted)
            assert set(written) == {*range(region.y, region.bottom), 7}


async def test_what_is_hidden_whole_is_not_rendered() -> None:
    app = Paged()
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        widgets = {widget.id: widget for widget in app.screen.query(Noted)}
        for widget in widgets.values():
            widget.asked.clear()
        app.screen._compositor._dirty_regions = {Region(5, 3, 4, 1)}
        assert changed(app) == {3: "cccc"}
        assert widgets["front"].asked
        assert not widgets["first"].asked
