"""The list of VAEs: what is found on the engine's machine, the model's own, and a file of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library.vaes import find_vaes
from sdcore.spec.found import VaeFile
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.unit.test_addon_files import write
from tui.app import SdtuiApp
from tui.screens.lists.chooser import ChoiceList, Chooser
from tui.screens.lists.files import FilePicker

_LATENTS = "decoder.conv_in.weight"
FAR = VaeFile(name="far", path="/box/far.safetensors", families=("SD1",), bytes=1)


@pytest.fixture
def models(private_home: Path) -> Path:
    """A file and two folders, one of them of a family that the bundled model is not of."""
    folder = private_home / "models"
    write(folder / "VAE" / "ft-mse [b].safetensors", {_LATENTS: (512, 4, 3, 3)})
    for name, channels in (("sharp", 4), ("sd3/vae", 16)):
        write(folder / name / "diffusion_pytorch_model.safetensors", {_LATENTS: (512, channels, 3, 3)})
        (folder / name / "config.json").write_text("{}")
    (folder / "VAE" / "old.pt").write_bytes(b"\x80\x02")
    return folder


async def opened(app: SdtuiApp, pilot: Pilot[None], engine: FakeEngine) -> ChoiceList:
    await settle(app, pilot)
    engine.ready()
    await pilot.pause()
    app.studio.parameters.go_to("vae")
    await pilot.press("enter")
    await settle(app, pilot)
    assert isinstance(app.screen, Chooser)
    return app.screen.query_one(ChoiceList)


def lines(shown: ChoiceList) -> list[str]:
    return [str(option.prompt).splitlines()[0] for option in shown.options]


def test_files_and_folders_are_found(models: Path) -> None:
    (models / "sharp" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(
        (models / "sharp" / "diffusion_pytorch_model.safetensors").read_bytes()
    )
    found = find_vaes()
    assert [(one.name, one.families) for one in found if not one.problem] == [
        ("ft-mse [b]", ("SD1", "SD2", "SDXL")),
        ("sd3/vae", ("SD3", "Flux")),
        ("sharp", ("SD1", "SD2", "SDXL")),
    ]
    assert [one.path for one in found if one.name == "sharp"] == [str(models / "sharp")]
    assert "pickle" in next(one.problem for one in found if one.name == "old")


async def test_what_is_found_comes_first(make_app: MakeApp, engine: FakeEngine, models: Path) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await opened(app, pilot, engine)
        assert lines(shown) == ["the model's own", "ft-mse [b]", "sharp", "Another…", "old", "sd3/vae"]
        assert [option.disabled for option in shown.options] == [False] * 4 + [True] * 2
        assert "is for SD3 or Flux, and the model is SD1" in str(shown.options[-1].prompt)
        await pilot.press(*"sha", "enter")
        await settle(app, pilot)
        assert app.studio.parameters.recipe.vae == str(models / "sharp")
        shown = await opened(app, pilot, engine)
        assert shown.highlighted == 2
        await pilot.press("home", "enter")
        await settle(app, pilot)
        assert app.studio.parameters.recipe.vae == ""
        await opened(app, pilot, engine)
        await pilot.press(*"anoth", "enter")
        await settle(app, pilot)
        assert isinstance(app.screen, FilePicker)


async def test_an_engine_elsewhere_tells_of_its_own(make_app: MakeApp, engine: FakeEngine) -> None:
    def box(command: m.AnyCommand) -> Iterable[m.AnyEvent]:
        match command:
            case m.ListModels():
                yield m.ModelsFound(request=command.request, done=True)
            case m.ListAddons():
                yield m.AddonsFound(request=command.request)
            case m.ListVaes():
                yield m.VaesFound(request=command.request, vaes=(FAR,))

    engine.answer = box
    app = make_app(far=True)
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await opened(app, pilot, engine)
        assert lines(shown) == ["the model's own", "far"]  # the files of this machine are of no use there
        await pilot.press("down", "enter")
        await settle(app, pilot)
        assert app.studio.parameters.recipe.vae == FAR.path
