"""What the screenshots show: the README's tour, followed key by key, and what lies beside its way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from screenshots.stage import SIZE, Stage, staged
from sdcore.library import paths, wildcard_files
from sdcore.library.styles import Styles
from sdcore.spec.recipe import FIRST_PROMPT
from sdcore.spec.styles import Style
from tests.tour import Row, tour
from tests.ui.model_files import FLUX, SD1, SDXL, sparse
from tests.unit.test_addon_files import write_lora
from tui.drafts import Draft

SIZES: Final = (SIZE, (80, 24), (200, 60))
MID_RUN_STEP: Final = 14
TABS: Final = ("text", "schedule", "latents", "steps", "guidance", "attention")
BOOK_STEP: Final = 8
HOUSE: Final = 4
"""How many words below the first one "house" stands in the first prompt."""
FORKED_PROMPT: Final = FIRST_PROMPT.replace("small japanese house", "large blue star")
MASK_KEYS: Final = ("shift+up", *["shift+left"] * 2, "r", *["shift+right"] * 4, *["shift+down"] * 3, "r")
REPAINTED_PROMPT: Final = "a (red:1.2) castle, green field, [sunset:radiant light:0.4]"
CHECKPOINTS: Final = {
    "ink-and-paper": SD1, "landscapes-xl": SDXL, "paintings-xl-v2": SDXL, "portraits-v3": SD1, "rectified": FLUX,
}  # fmt: skip
LORAS: Final = {
    "ink-wash": (768, "ink wash style, monochrome"),
    "paper-cut-xl": (2048, "paper cut"),
    "watercolour": (768, "watercolour"),
}
"""The width of the text that they are for, and what they are called by."""
SEARCHES: Final = {"moon -castle": "moons alone", "steps:>20 sea": "by the sea"}
PROMPTS: Final = (
    "a red boat, blue sea, sunset",
    "a yellow moon over a green hill",
    "a large white castle, snow, moonlight",
    "a small blue fish in the sea",
    "a purple flower, green field, radiant light",
    "an orange tree to the left of a red house",
)


async def follow_tour(outputs: Path) -> None:
    """The README's tour until one leaves the app, with the pictures it names."""
    rows = list(tour())
    leaving = next(at for at, row in enumerate(rows) if any(press.key == "ctrl+q" for press in row.presses))
    async with staged(outputs) as stage:
        for row in rows[:leaving]:
            await _follow(stage, row)


async def _follow(stage: Stage, row: Row) -> None:
    for press in row.presses:
        if press.text and not press.opens:
            await stage.write(press.text)
        elif press.key:
            await stage.press(press.key)
        await stage.rest()
    for words in row.sees:
        await stage.see(words)
    if row.picture:
        await stage.keep(row.picture)


async def sizes(outputs: Path) -> None:
    """The studio at three sizes: in the middle of the first prompt's run and when its image is done; then the help."""
    for size in SIZES:
        name = f"studio-{size[0]}x{size[1]}"
        async with staged(outputs / name, size) as stage:
            await stage.press("enter")
            await stage.until(lambda: stage.step >= MID_RUN_STEP)
            await stage.rest()
            stage.keep_now(f"{name}-running")
            await stage.until(lambda: stage.made)
            await stage.keep(f"{name}-done")
            if size == SIZE:
                await stage.press("f1")
                await stage.keep("help")


async def book(outputs: Path) -> None:
    """The inspector on the first prompt's run, tab by tab, and what a fork of it changed, side by side."""
    async with staged(outputs) as stage:
        await stage.make()
        await stage.press("f2")
        await stage.see("k 29/30")
        for key, tab in enumerate(TABS, start=1):
            await stage.press(str(key), "home", *["right"] * BOOK_STEP)
            if tab == "attention":
                await stage.press(*["down"] * HOUSE)
            await stage.until(lambda: "sking" not in stage.text)
            await stage.keep(f"inspector-{tab}")
        await stage.press("f")
        await stage.keep("fork")
        await stage.press(*["backspace"] * len(FIRST_PROMPT))
        await stage.write(FORKED_PROMPT)
        await stage.make()
        await stage.press("f5")
        await stage.see("divergence per step")
        await stage.keep("compare-fork")


async def repainting(outputs: Path) -> None:
    """A mask painted over the first prompt's image, and what the run made of it, with all parameters unfolded."""
    async with staged(outputs) as stage:
        await stage.make()
        await stage.press("f9", "f10")
        await stage.until(lambda: stage.app.screen is not stage.app.studio)
        await stage.press(*MASK_KEYS)
        await stage.keep("mask")
        await stage.press("enter")
        await stage.until(lambda: stage.app.screen is stage.app.studio)
        await stage.press(*["backspace"] * len(FIRST_PROMPT))
        await stage.write(REPAINTED_PROMPT)
        await stage.make()
        await stage.press("f8")
        await stage.keep("repainted")


async def library(outputs: Path) -> None:
    """A library of many prompts: searched, one image in full size; the prompts' history and what it suggests."""
    async with staged(outputs) as stage:
        for prompt in PROMPTS * 2:
            await _write_prompt(stage, prompt)
            await stage.make()
        await stage.press("alt+i")
        await stage.see("12 images")
        await stage.press("right", "space", "right", "space", "s")
        await stage.keep("library-marks")
        await stage.press("escape", "slash")
        await stage.write("red steps:30 -boat")
        await stage.keep("search")
        await stage.press("enter", "enter")
        await stage.see("closer")
        await stage.press("i")
        await stage.keep("viewer")
        await stage.press("escape", "escape", "escape")
        await stage.press("ctrl+r")
        await stage.write("green")
        await stage.keep("history")
        await stage.press("escape", "escape")
        await _write_prompt(stage, "a large white castle, moo")
        await stage.keep("completion")


async def queue(outputs: Path) -> None:
    """The queue while an image is made and others wait, of which one is held."""
    async with staged(outputs) as stage:
        await stage.make()
        await stage.press("alt+q")
        await stage.see("nothing to be made")
        await stage.press("p", "escape")
        for prompt in PROMPTS:
            await _write_prompt(stage, prompt)
            await stage.press("enter")
        await stage.press("alt+q")
        await stage.see("in all")
        await stage.press("home", *["down"] * 3, "space", "p")
        await stage.until(lambda: stage.step >= MID_RUN_STEP)
        await stage.rest()
        stage.keep_now("queue")


async def lists(outputs: Path) -> None:
    """The lists one takes something from: models and LoRAs, of which there are headers alone, the file that an image
    starts from, and the searches that are saved."""
    for name, shapes in CHECKPOINTS.items():
        sparse(paths.models_dir() / "checkpoints" / f"{name}.safetensors", shapes)
    (paths.models_dir() / "checkpoints" / "an-old-one.ckpt").write_bytes(b"\x80\x02")
    for name, (width, trigger) in LORAS.items():
        write_lora(
            paths.models_dir() / "loras" / f"{name}.safetensors",
            width,
            **{"modelspec.trigger_phrase": trigger},
        )
    async with staged(outputs) as stage:
        await stage.press("alt+m")
        await stage.see("landscapes-xl")
        await stage.press(*["down"] * 3)
        await stage.keep("models")
        await stage.press("escape", "alt+l")
        await stage.see("ink-wash")
        await stage.keep("loras")
        await stage.press("escape")
        for prompt in PROMPTS[:4]:
            await _write_prompt(stage, prompt)
            await stage.make()
        await stage.press("tab", "tab", "f8", *["down"] * 9, "enter")
        await stage.see("00004-")
        await stage.keep("files")
        await stage.press("escape", "f8", "escape", "alt+i")
        await stage.see("4 images")
        for query, name in SEARCHES.items():
            await stage.press("slash", "ctrl+u")
            await stage.write(query)
            await stage.rest()
            await stage.press("enter", "b", "enter")
            await stage.write(name)
            await stage.press("enter")
            await stage.see(f"saved as {name}")
        await stage.press("b")
        await stage.keep("searches")


async def words(outputs: Path) -> None:
    """Styles that a prompt is put into, and a file of wildcards."""
    styles = Styles()
    styles.put(Style("evening", "{prompt}, sunset"))
    styles.put(Style("night", "{prompt}, moonlight, dark blue", "radiant light"))
    wildcard_files.write_text("things/plants", "flower\ntree\n")
    wildcard_files.write_text("things/houses", "japanese house\ncastle\nlighthouse\n")
    async with staged(outputs, draft=Draft(prompt="a red __things/*__, green field")) as stage:
        await stage.press("alt+t")
        await stage.see("evening")
        await stage.press("down", "space")
        await stage.keep("styles")
        await stage.press("escape", "alt+w")
        await stage.see("things/houses")
        await stage.keep("wildcards")


async def _write_prompt(stage: Stage, prompt: str) -> None:
    stage.app.studio.prompt.load_text("")
    await stage.write(prompt)


SCENES: Final[dict[str, Callable[[Path], Awaitable[None]]]] = {
    "tour": follow_tour, "sizes": sizes, "book": book, "repainting": repainting, "library": library,
    "queue": queue, "lists": lists, "words": words,
}  # fmt: skip
"""By their names; each makes its pictures with images in the folder it is given."""
