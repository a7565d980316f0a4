"""Keys in one burst, as a slow line delivers them."""

from __future__ import annotations

from textual import events

from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp


def burst(app: SdtuiApp, *keys: str | tuple[str, str]) -> None:
    for key in keys:
        name, character = key if isinstance(key, tuple) else (key, key if len(key) == 1 else None)
        app.post_message(events.Key(name, character))


async def test_what_follows_a_tab_goes_where_the_tab_led(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        before = app.studio.prompt.text
        burst(app, "tab", "tab", "down", "down", "4", "0", "0")
        await settle(app, pilot)
        assert app.studio.parameters.texts["steps"] == "400"
        assert app.studio.prompt.text == before


async def test_a_paste_keeps_its_place_among_the_keys(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        before = app.studio.prompt.text
        burst(app, "x", "tab")
        app.post_message(events.Paste("rain"))
        burst(app, "y")
        await settle(app, pilot)
        assert app.studio.prompt.text == f"{before}x"
        assert app.studio.negative.text == "rainy"


async def test_keys_go_on_though_a_widget_is_gone(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        burst(app, "f1", "escape", "tab", "r", "a", "i", "n")
        await pilot.pause(0.5)
        await settle(app, pilot)
        assert app.screen is app.studio
        assert app.studio.negative.text == "rain"
