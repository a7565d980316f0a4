"""What the library of another machine takes of the line: bytes in each direction, by what a person does.

    SDTUI_HOME=HOME python -m tests.bench.bench_far_library [--size 120x40]

HOME is that of the machine with the images; its index is filled first. The app and the engine's librarian are real,
the line is none: every message is counted as it would be sent, SSH's own share left out. The copies that a laptop would
keep are thrown away before.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
from collections.abc import Callable
from typing import Final

from sdcore.library import paths
from sdcore.library.config import load
from tests.library_files import index_folder
from tests.ui.fake_engine import FakeEngine
from tests.ui.far_box import FarBox
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.library.screen import LibraryScreen

_REST: Final = 1.2
"""Seconds until all that follows a key has come: what is known of an image comes when the cursor rests."""
_COPIES: Final = ("far", "far-thumbnails")
_STEPS: Final = (
    ("the library", ("alt+i",)),
    ("a page further", ("pagedown",)),
    ("the next image", ("right",)),
    ("a letter", ("slash", "h")),
    ("another letter", ("o",)),
    ("all images again", ("escape",)),
    ("a star", ("s",)),
    ("one in full size", ("enter",)),
)


async def measure(size: tuple[int, int]) -> list[str]:
    """A line for each step."""
    engine = FakeEngine()
    box = FarBox(engine)
    app = SdtuiApp(lambda: engine, draft=Draft(), outputs=load()[0].outputs_dir(), host="box")
    lines = [f"{'':20}{'comes':>12}{'goes':>12}   of it"]
    async with app.run_test(size=size) as pilot:
        await app.studio.ready.wait()
        for name, keys in _STEPS:
            await _quiet(lambda: True)
            box.sent.clear()
            box.asked.clear()
            await pilot.press(*keys)
            await _quiet(
                lambda: not isinstance(app.screen, LibraryScreen) or not app.screen.grid.awaits_thumbs
            )
            parts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(box.sent.items()))
            lines.append(f"{name:20}{sum(box.sent.values()):12,}{sum(box.asked.values()):12,}   {parts}")
        if isinstance(app.screen_stack[-2], LibraryScreen):
            screen = app.screen_stack[-2]
            lines.append(f"{len(screen.results):,} images, {screen.grid.places_in_view} of them in view")
    box.close()
    return lines


async def _quiet(settled: Callable[[], bool]) -> None:
    await asyncio.sleep(_REST)
    while not settled():
        await asyncio.sleep(0.05)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="120x40", help="columns x rows of the terminal")
    width, height = map(int, parser.parse_args().size.split("x"))
    index_folder(load()[0].outputs_dir())
    for name in _COPIES:
        shutil.rmtree(paths.cache_dir() / name, ignore_errors=True)
    for line in asyncio.run(measure((width, height))):
        print(line)


if __name__ == "__main__":
    main()
