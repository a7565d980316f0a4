"""The library's screen on the images of a home: its first picture, scrolling, searching, memory.

    SDTUI_HOME=HOME python -m tests.bench.bench_library_screen [--size 120x40] [--rows 200]

HOME is one whose index is filled, such as `bench_library` leaves behind. The app runs on an engine that does nothing,
in a terminal that draws nothing: what is measured is the app's own time, from the key to the finished lines.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from collections.abc import Callable
from typing import Final

from sdcore.library.config import load
from tests.ui.fake_engine import FakeEngine
from tui.app import SdtuiApp
from tui.drafts import Draft
from tui.screens.library.screen import LibraryScreen

SEARCHES: Final = ("light", "lighthouse", "steps:>25", "red h", "-storm", "star", "model:s", "")
_REST: Final = 0.03
_SETTLED: Final = 0.2


async def measure(size: tuple[int, int], rows: int) -> dict[str, float]:
    """Milliseconds, and MB of memory, by what was measured."""
    app = SdtuiApp(FakeEngine, draft=Draft(), outputs=load()[0].outputs_dir())
    async with app.run_test(size=size) as pilot:
        await app.studio.ready.wait()
        begin = time.perf_counter()
        app.action_go("library")
        while (
            not isinstance(app.screen, LibraryScreen)
            or app.screen.row is None
            or app.screen.grid.awaits_thumbs
        ):
            await asyncio.sleep(0.001)
        told = {"first picture": 1000 * (time.perf_counter() - begin), "images": len(app.screen.results)}
        screen, grid = app.screen, app.screen.grid

        async def timed(act: Callable[[], object]) -> float:
            start = time.perf_counter()
            act()
            while grid.picture_waits:
                await asyncio.sleep(0)
            drawn = asyncio.Event()
            grid.call_after_refresh(drawn.set)
            await drawn.wait()
            return 1000 * (time.perf_counter() - start)

        for _ in range(rows):
            grid.move_rows(1)
            while grid.awaits_thumbs:
                await asyncio.sleep(0.001)
        await pilot.pause(_SETTLED)
        seen = min(rows, 40)
        scrolls = []
        for step in [-1] * seen + [1] * seen:
            scrolls.append(await timed(lambda step=step: grid.move_rows(step)))  # type: ignore[misc]
            await asyncio.sleep(_REST)
        searches = []
        for text in SEARCHES * 3:
            start = time.perf_counter()
            await screen.results.search(text)
            searches.append(1000 * (time.perf_counter() - start))
        for name, figures in (("scroll a row", scrolls), ("search", searches)):
            figures.sort()
            told[f"{name}, median"] = figures[len(figures) // 2]
            told[f"{name}, p95"] = figures[int(0.95 * len(figures))]
    return told | {"peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="120x40", help="columns x rows of the terminal")
    parser.add_argument("--rows", type=int, default=200, help="rows of the grid that are scrolled through")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    for name, figure in asyncio.run(measure((width, height), options.rows)).items():
        print(f"{name:24}{figure:12,.1f}")


if __name__ == "__main__":
    main()
