"""kill -9 of engine and client at random moments: how many jobs are lost, and how many images are made twice.

    python -m tests.bench.bench_kills [KILLS] [SEED]

The engine is the real one, its queue and its files too; only the mathematics are replaced by a chain of numbers, so
that each image says whether every step of it was made once. Nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time

KILLS = 100


def main(kills: int = KILLS, seed: int | None = None) -> int:
    """Print a table; 1 if anything was lost or made twice."""
    seed = random.randrange(1 << 30) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="sd") as home:
        os.environ["SDTUI_HOME"] = home
        from tests import kills as killing

        began = time.perf_counter()
        toll = killing.run(kills, seed)
        seconds = time.perf_counter() - began
    print(
        f"{kills} kills in {seconds:.0f} s (seed {seed}): {toll.engines} of the engine, {toll.clients} of the client"
    )
    print(f"jobs acknowledged   {toll.jobs:6}")
    print(f"images made         {toll.images:6}")
    print(f"jobs lost           {toll.lost:6}")
    print(f"images made twice   {toll.twice:6}")
    print(f"images made wrong   {toll.wrong:6}")
    return int(bool(toll.lost or toll.twice or toll.wrong))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
