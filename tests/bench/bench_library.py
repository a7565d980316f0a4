"""The library with many images: indexing, the first page, searching, scrolling, memory.

    python -m tests.bench.bench_library --images 100000 [--folder FOLDER] [--home HOME]

Makes synthetic images of 64x64 in FOLDER (images that are there are used again), has a keeper index them into HOME, and
asks from another process, as the app would; both are temporary when they are not given. The page cache is warm.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

PAGE: Final = 64
ROW: Final = 10
BOX: Final = (48, 48)
QUERIES: Final = 300
_ROWS: Final = 200
_MOST_SECONDS: Final = 1800


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--home", type=Path, help="an empty one, kept for bench_library_screen")
    parser.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(ask()))
        return
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SDTUI_HOME"] = str(options.home.absolute() if options.home else f"{scratch}/home")
        measure(options.folder or Path(scratch, "images"), options.images)


def measure(folder: Path, count: int) -> None:
    """Index `count` images in `folder`, then ask."""
    from sdcore.library import config
    from tests.bench.synthetic import make

    if not folder.exists():
        seconds = _timed(lambda: make(folder, count))
        print(f"{count:,} images made in {seconds:.0f} s")
    config.config_file().write_text(f"library_folders = [{json.dumps(str(folder.absolute()))}]\n")
    index(count)
    # A process of its own, as the app is, whose memory is its own as well.
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_library", "--ask"], check=True, capture_output=True
    )
    for line in json.loads(done.stdout):
        print(line)


def index(count: int) -> None:
    """Have a keeper index, and print how fast and in how much memory."""
    from sdcore.library.index import Index, schema
    from sdcore.library.index.keeper import start_keeper

    reader = Index.open()
    began = time.perf_counter()
    keeper = start_keeper()
    try:
        while reader.progress().total == 0 and time.perf_counter() - began < _MAX_WAIT:
            time.sleep(0.05)
        listed = time.perf_counter()
        while (now := reader.progress()).done < now.total and time.perf_counter() - began < _MOST_SECONDS:
            time.sleep(0.25)
        read = time.perf_counter()
        found = reader.count()
        memory = _peak(keeper.pid)
        # What is new is not kept waiting by the tidying up, but it is work too.
        time.sleep(3)
        size = schema.index_file().stat().st_size
        print(
            f"indexing     {found:,} of {count:,} in {read - began:.1f} s: {found / (read - listed):,.0f} files/s"
        )
        print(f"             listed after {listed - began:.1f} s; index {size / 2**20:.0f} MiB")
        print(f"keeper       {memory:.0f} MiB at most")
    finally:
        keeper.close(5)
        reader.close()


_MAX_WAIT: Final = 60.0


def ask() -> list[str]:
    """What the app's process would do; lines of figures."""
    lines = []
    began = time.perf_counter()
    from sdcore.library.index import Index

    reader = Index.open()
    ids = reader.ids("")
    rows = reader.rows(ids[:PAGE])
    lines.append(
        f"first page   {1000 * (time.perf_counter() - began):.0f} ms: imports, open, {len(ids):,} ids, {len(rows)} rows"
    )
    lines.append(f"reader       {_peak(os.getpid()):.0f} MiB, before Pillow")
    from sdcore.library.thumbnails import thumbnail

    rng = random.Random(3)
    whole = queries(rng)
    lines.append(_line("search", [_timed(lambda text=text: reader.ids(text)) for text in whole]))
    typed = [text[:end] for text in whole[:40] for end in range(1, len(text) + 1)]
    lines.append(_line("each key", [_timed(lambda text=text: reader.ids(text)) for text in typed]))
    places = [rng.randrange(max(1, len(ids) - ROW)) for _ in range(_ROWS)]

    def scroll(place: int) -> None:
        for row in reader.rows(ids[place : place + ROW]):
            thumbnail(row.path, BOX)

    for place in places:
        scroll(place)
    lines.append(_line("a row", [_timed(lambda place=place: scroll(place)) for place in places]))
    lines.append(f"reader       {_peak(os.getpid()):.0f} MiB at most, with Pillow")
    return lines


def queries(rng: random.Random) -> list[str]:
    """Searches such as people type, of one to four terms, frequent and rare ones."""
    from tests.bench.synthetic import frequent, vocabulary

    words = vocabulary()
    terms: Sequence[Callable[[], str]] = (
        lambda: frequent(rng, words),
        lambda: rng.choice(words)[:3],
        lambda: rng.choice("abdefklmnoqrstv"),
        lambda: f"-{rng.choice(words[:50])}",
        lambda: f"steps:>{rng.choice((8, 20, 30, 40))}",
        lambda: f"cfg:{rng.choice(('5..8', '7.5', '<6'))}",
        lambda: f"model:{rng.choice(words[:40])[:4]}",
        lambda: f"sampler:{rng.choice(('euler', 'dpm', 'uni'))}",
        lambda: f"date:2025-{rng.randint(7, 12):02d}",
        lambda: f'"{rng.choice(words[:5])} {rng.choice(words[:5])}"',
        lambda: "star",
        lambda: "best quality",
    )
    return [" ".join(rng.choice(terms)() for _ in range(rng.randint(1, 4))) for _ in range(QUERIES)]


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _line(name: str, seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles([1000 * value for value in seconds], n=100)
    return f"{name:12} p50 {cuts[49]:.1f}  p95 {cuts[94]:.1f}  p99 {cuts[98]:.1f} ms of {len(seconds)}"


def _peak(pid: int) -> float:
    """The most memory in MiB that a process has held so far (proc(5): VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
