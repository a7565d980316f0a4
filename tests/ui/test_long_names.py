"""Names and prompts that are long, wide, or of no width at all, a thousand of them: columns stand, nothing is lost."""

from __future__ import annotations

import json

import msgspec
import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from sdcore.engine import messages as m
from sdcore.library import config, paths, searches
from sdcore.library.history import PromptHistory, entry_of
from sdcore.spec.recipe import Recipe
from tests.ui.conftest import MakeApp, settle
from tests.ui.fake_engine import FakeEngine
from tests.ui.model_files import SD1, sparse
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.parameter_rows import write_rows
from tui.term.sparing import _is_doubtful
from tui.widgets.parameter_lines import _end_of
from tui.widgets.setting_lines import _cut

KINDS = {
    "wide": "日本語の名前",
    "marks": "e\u0301a\u0308o\u0302",
    "joined": "👩\u200d👩\u200d👧",
    "no width": "\u200b\u200c\u2060",
    "flags": "🇩🇪🇫🇷",
    "words": "a name that goes on ",
    "one word": "x",
    "ligature": "ﷺ",
    "both": "日\u0301",
}
LONG = 10_000
COUNT = 1000
SIZES = [(120, 40), (80, 24)]


def name_of(number: int) -> str:
    """A name as long as a file system takes."""
    kind = list(KINDS.values())[number % len(KINDS)]
    encoded = f"{number:04d} {kind * 80}".encode()[:200]
    return encoded.decode("utf-8", "ignore")


def prompt_of(number: int) -> str:
    kind = list(KINDS.values())[number % len(KINDS)]
    return f"{number:04d} {kind * LONG}"[:LONG]


def lines(app: SdtuiApp) -> list[str]:
    strips = app.screen._compositor.render_strips()
    assert all(strip.cell_length == app.size.width for strip in strips)
    return [strip.text for strip in strips]


def place_of(line: str, word: str) -> int:
    """The cell at which a word begins, -1 where it does not stand."""
    return cell_len(line.partition(word)[0]) if word in line else -1


async def walk(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot.app, pilot)
        lines(pilot.app)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
async def test_models(make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]) -> None:
    for number in range(60):
        sparse(paths.models_dir() / f"{name_of(number)}.safetensors", SD1)
    app = make_app()
    async with app.run_test(size=size) as pilot:
        engine.ready()
        await settle(app, pilot)
        await walk(pilot, "alt+m", "down", "down", "pagedown", "end")
        shown = [line for line in lines(app) if " SD1   " in line]
        assert len(shown) > 5
        assert len({place_of(line, " SD1 ") for line in shown}) == 1


@pytest.mark.parametrize("size", SIZES)
async def test_the_queue(make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        engine.ready()
        recipe = Recipe(prompt="")
        jobs = [f"j{number}" for number in range(COUNT)]
        for number, job in enumerate(jobs):
            changed = msgspec.structs.replace(recipe, prompt=prompt_of(number))
            engine.tell(m.JobQueued(job=job, position=number, recipe=changed, label=prompt_of(number)[:500]))
        engine.tell(m.QueueState(order=tuple(jobs), seconds=(60.0,) * COUNT))
        await settle(app, pilot)
        await walk(pilot, "alt+q", "down", "pagedown", "end")
        assert any("0999" in line for line in lines(app))


@pytest.mark.parametrize("size", SIZES)
async def test_the_history(make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]) -> None:
    history = PromptHistory()
    entries = [
        entry_of(Recipe(prompt=prompt_of(number), model=name_of(number))) for number in range(COUNT // 4)
    ]
    history.path.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
    app = make_app()
    async with app.run_test(size=size) as pilot:
        engine.ready()
        await settle(app, pilot)
        await walk(pilot, "up", "up", "ctrl+r", "down", "pagedown", "a", "end")
        assert any("prompt history" in line for line in lines(app))


@pytest.mark.parametrize("size", SIZES)
async def test_styles_presets_and_wildcards(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    named = [name_of(number) for number in range(COUNT)]
    texts = [prompt_of(number) for number in range(9)]
    for file, root, key in (("styles", "styles", "prompt"), ("presets", "presets", "sampler")):
        written = (
            f"[{root}.{json.dumps(name)}]\n{key} = {json.dumps(texts[number % 9][: LONG // (1 + number // 9)])}\n"
            for number, name in enumerate(named)
        )
        (paths.config_dir() / f"{file}.toml").write_text("".join(written), "utf-8")
    for number in range(9):
        (paths.wildcards_dir() / f"w{number}.txt").write_text("\n".join(texts), "utf-8")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        engine.ready()
        await settle(app, pilot)
        for key in ("alt+t", "alt+p", "alt+w"):
            await walk(pilot, key, "down", "pagedown", "end", "0", "escape")
        assert app.screen is app.studio


@pytest.mark.parametrize("size", SIZES)
async def test_the_panes_and_the_settings(
    make_app: MakeApp, engine: FakeEngine, size: tuple[int, int]
) -> None:
    config.config_file().write_text(f"model = {json.dumps(prompt_of(0))}\nssh = {json.dumps(prompt_of(4))}\n")
    searches.searches_file().write_bytes(
        msgspec.json.encode({name_of(n)[:60]: prompt_of(n) for n in range(400)})
    )
    rows = dict.fromkeys(write_rows(Recipe()), prompt_of(2)) | {"sampler": prompt_of(0), "vae": prompt_of(4)}
    app = make_app(draft=Draft(prompt=prompt_of(1), negative_prompt=prompt_of(3), rows=rows))
    async with app.run_test(size=size) as pilot:
        engine.ready()
        await settle(app, pilot)
        await walk(pilot, "enter", "tab", "tab", "f8", *("down",) * 3, "9", "alt+s", *("down",) * 3, "escape")
        assert app.screen is app.studio


@pytest.mark.parametrize("kind", KINDS)
def test_long_texts_are_cut_to_their_room(kind: str) -> None:
    text = (KINDS[kind] * LONG)[:LONG]
    for room in (8, 30, 79):
        assert cell_len(_end_of(text, room)) <= room
        assert cell_len(_cut(text, room)) <= room


def test_a_wide_character_and_one_without_width_are_no_two_of_one_cell() -> None:
    assert _is_doubtful("日\u0301")
    assert not _is_doubtful("é─▀")
