"""The models and add-ons of an engine on another machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sdcore.engine import messages as m
from sdcore.spec.found import Addon, ModelFile
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.line.stock import FarStock, LocalStock, all_models
from tui.screens.lists.models import Models
from tui.widgets.model_lines import ModelFacts

FAR = ModelFile(name="far-away", path="/box/far-away.safetensors", family="SDXL", bytes=1, bundled=False,
                native_size=1024)  # fmt: skip
BUNDLED = ModelFile(name="tiny", path="/box/tiny", family="SD1", bytes=1, bundled=True, native_size=128)
LORA = Addon(kind="LoRA", name="far-lora", path="/box/far-lora.safetensors", families=("SD1",))


def box(command: m.AnyCommand) -> Iterable[m.AnyEvent]:
    """What an engine with these answers."""
    match command:
        case m.ListModels():
            yield m.ModelsFound(request=command.request, models=(BUNDLED,))
            yield m.ModelsFound(request=command.request, models=(FAR,), hashes={FAR.path: "abc"}, done=True)
        case m.ListAddons():
            yield m.AddonsFound(request=command.request, addons=(LORA,))


def stock_of(engine: FakeEngine) -> FarStock:
    stock = FarStock(engine.send)
    engine.tell = lambda *events: [stock.handle(event) for event in events]  # type: ignore[method-assign, assignment]
    return stock


async def test_the_engine_is_asked(engine: FakeEngine) -> None:
    engine.answer = box
    stock = stock_of(engine)
    assert await all_models(stock) == [BUNDLED, FAR]
    assert await stock.hash_of(FAR) == "abc"
    assert await stock.hash_of(BUNDLED) == ""
    assert await stock.model(FAR.path) == FAR
    assert await stock.addons() == [LORA]
    assert len(engine.commands(m.ListModels)) == 1  # what was found answers which model that is
    assert await stock.model("nonsense") is None


async def test_who_asks_meanwhile_hears_the_same_answer(engine: FakeEngine) -> None:
    stock = stock_of(engine)
    first, second = stock.models(), stock.models()
    engine.answer = box
    assert [piece async for piece in first] == [[BUNDLED, FAR]]
    stock_again = [piece async for piece in second]
    assert stock_again == [[BUNDLED, FAR]]


async def test_nobody_waits_for_an_engine_that_is_gone(engine: FakeEngine) -> None:
    stock = stock_of(engine)
    engine.answer = lambda command: [m.LineLost(message="The line broke.")]
    assert await all_models(stock) == []
    assert await stock.addons() == []


async def test_this_machine_is_read(private_home: Path) -> None:
    stock = LocalStock()
    (tiny,) = await all_models(stock)
    assert tiny.bundled
    assert await stock.model("tiny") == tiny
    assert await stock.model("nonsense") is None
    assert await stock.addons() == []


async def test_the_models_screen_of_an_engine_elsewhere(engine: FakeEngine, make_app: MakeApp) -> None:
    engine.answer = box
    app: SdtuiApp = make_app(far=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        engine.ready()
        await settle(app, pilot)
        await pilot.press("alt+m")
        await settle(app, pilot)
        screen = app.screen
        assert isinstance(screen, Models)
        await pilot.press("down")
        await settle(app, pilot)
        assert "abc" in screen.query_one(ModelFacts).render().plain  # type: ignore[union-attr]
        await pilot.press("ctrl+o")  # its folders cannot be set from here
        await settle(app, pilot)
        assert app.screen is screen
        await pilot.press("enter")
        await settle(app, pilot)
        assert engine.commands(m.LoadModel)[-1].model == FAR.path
