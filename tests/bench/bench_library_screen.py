"""The library's screen on the images of a home: its first picture, scrolling, searching, memory.

    SDTUI_HOME=HOME python -m tests.bench.bench_library_screen [--size 120x40] [--rows 100]

HOME is one whose index is filled, such as `bench_library --home HOME` leaves behind. The app runs on an engine that
does nothing, at the rate of updates that it has in a terminal, and writes to a terminal that takes everything at once
and answers: what is measured is the app's own time, from the key to the last byte of what it draws. Beside each time
by the clock stands the processor's time (all threads, and the event loop alone), which other work on the machine
changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from textual.app import App
    from textual.driver import Driver

    from tui.screens.library.screen import LibraryScreen

SEARCHES: Final = 12
_REST: Final = 0.03
"""Seconds from what one key draws to the next key: a key that is held repeats 30 times a second."""
_TYPING: Final = 0.12
"""The same between letters."""
_SETTLED: Final = 0.4
_CLEAR: Final = "ctrl+u"

Sample = tuple[float, float, float]
"""Milliseconds by the clock, of all threads, of the event loop."""


class Written:
    """When something was last written to the terminal."""

    at = 0.0


def driver_class(written: Written) -> type[Driver]:
    """A terminal that takes all that is written at once, and says so where it is asked."""
    from textual.drivers.headless_driver import HeadlessDriver
    from textual.events import CursorPosition

    from tui.term.pacing import CURSOR_POSITION_REQUEST

    class Taking(HeadlessDriver):
        @property
        def is_headless(self) -> bool:
            return False

        def write(self, data: str) -> None:
            written.at = time.perf_counter()
            if CURSOR_POSITION_REQUEST in data:
                self._app.post_message(CursorPosition(0, 0))

    return Taking


class Keyboard:
    """Presses keys, and tells how long the app took to draw what comes of them."""

    def __init__(self, app: App[None], written: Written) -> None:
        self._app = app
        self._written = written

    async def time(self, name: str, character: str | None, *drawn: Callable[[], bool]) -> list[Sample]:
        """Press a key; samples of when each of `drawn` held and was written."""
        from textual.events import Key

        began, all_threads, loop = time.perf_counter(), time.process_time(), time.thread_time()
        self._app.post_message(Key(name, character))
        samples = []
        for holds in drawn:
            while not holds():
                await asyncio.sleep(0.001)
            shown = asyncio.Event()
            self._app.screen.call_after_refresh(shown.set)
            await shown.wait()
            ends = max(began, self._written.at), time.process_time(), time.thread_time()
            samples.append(
                tuple(
                    1000 * (end - start) for end, start in zip(ends, (began, all_threads, loop), strict=True)
                )
            )
        return samples  # type: ignore[return-value]


async def measure(size: tuple[int, int], rows: int) -> list[str]:
    """Lines of figures."""
    from sdcore.library.config import load
    from tests.ui.fake_engine import FakeEngine
    from tui.app import SdtuiApp
    from tui.drafts import Draft
    from tui.screens.library.screen import LibraryScreen

    written = Written()
    app = SdtuiApp(FakeEngine, draft=Draft(), outputs=load()[0].outputs_dir())
    app.driver_class = driver_class(written)
    async with app.run_test(headless=False, size=size):
        await app.studio.ready.wait()
        begin = time.perf_counter()
        app.action_go("library")
        while (
            not isinstance(app.screen, LibraryScreen)
            or not app.screen.is_mounted
            or app.screen.row is None
            or app.screen.grid.awaits_thumbs
        ):
            await asyncio.sleep(0.001)
        lines = [f"{'first picture':24}{1000 * (time.perf_counter() - begin):8.0f} ms"]
        lines.append(f"{'images':24}{len(app.screen.results):8,}")
        await asyncio.sleep(_SETTLED)
        keyboard = Keyboard(app, written)
        lines += await scroll(app.screen, keyboard, rows)
        lines += await type_searches(app.screen, keyboard)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return [*lines, f"{'memory at most':24}{memory:8.0f} MB", f"{'load':24}{os.getloadavg()[0]:8.1f}"]


async def scroll(screen: LibraryScreen, keyboard: Keyboard, rows: int) -> list[str]:
    """By rows that were not seen before, and back over them: until the row is drawn, and with all its pictures."""
    grid = screen.grid

    async def one(key: str) -> list[Sample]:
        before = grid.cursor
        samples = await keyboard.time(
            key,
            None,
            lambda: grid.cursor != before and not grid.picture_waits,
            lambda: not grid.awaits_thumbs,
        )
        await asyncio.sleep(_REST)
        return samples

    new = [await one("down") for _ in range(rows)]
    await asyncio.sleep(_SETTLED)
    seen = [await one("up") for _ in range(rows - 1)]
    lines = []
    for name, samples in (("a new row", new), ("a row seen before", seen)):
        moved, pictures = zip(*samples, strict=True)
        lines += [*_lines(name, list(moved)), *_lines(f"{name}, pictures", list(pictures))]
    return lines


async def type_searches(screen: LibraryScreen, keyboard: Keyboard) -> list[str]:
    """Letter by letter; each answer is drawn once the rows in view are, and its pictures follow."""
    from tests.bench.bench_library import queries

    results, grid, line = screen.results, screen.grid, screen.line

    def answered() -> bool:
        known = not len(results) or results.row(grid.cursor) is not None
        return results.text == line.value == wanted and known and not grid.picture_waits

    answers, pictures = [], []
    screen.action_search()
    for text in queries(random.Random(3))[:SEARCHES]:
        for end in range(1, len(text) + 1):
            wanted = text[:end]
            answer, picture = await keyboard.time(
                _key(text[end - 1]), text[end - 1], answered, lambda: not grid.awaits_thumbs
            )
            answers.append(answer)
            pictures.append(picture)
            await asyncio.sleep(_TYPING)
        wanted = ""
        await keyboard.time(_CLEAR, None, answered)
        await asyncio.sleep(_SETTLED)
    return [*_lines("a letter, found", answers), *_lines("a letter, pictures", pictures)]


def _key(character: str) -> str:
    from textual.keys import _character_to_key

    return _character_to_key(character)


def _lines(name: str, samples: list[Sample]) -> list[str]:
    """Median and 95th percentile of what was measured, a line a clock."""
    told = []
    for place, clock in enumerate(("", "  all threads", "  event loop")):
        figures = sorted(sample[place] for sample in samples)
        middle, high = (figures[int(part * len(figures))] for part in (0.5, 0.95))
        told.append(f"{clock or name:24}p50 {middle:6.1f}   p95 {high:6.1f} ms   of {len(figures)}")
    return told


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="120x40", help="columns x rows of the terminal")
    parser.add_argument("--rows", type=int, default=100, help="rows of the grid that are scrolled through")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    # as in a terminal; read when Textual is imported, which is why all of that is imported later
    os.environ["TEXTUAL_FPS"] = "120"
    os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
    for line in asyncio.run(measure((width, height), options.rows)):
        print(line)


if __name__ == "__main__":
    main()
