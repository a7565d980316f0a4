"""Make the README's screenshots: the real app, the real engine, the bundled model, nothing staged but the keys.

    python screenshots/make.py                # all of them, into this folder
    python screenshots/make.py tour queue     # some of them

They are the app's own SVG exports. All is made in a home of its own, which is taken away at the end.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "truecolor")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from screenshots.scenes import SCENES


def main() -> None:
    """Make those that are named, or all, each in a home of its own."""
    unknown = set(sys.argv[1:]) - set(SCENES)
    if unknown:
        sys.exit(f"There is no scene {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}.")
    home = Path(tempfile.gettempdir()) / "sdtui"  # the same in every run, for it is read in the pictures
    if home.exists():
        sys.exit(f"{home} is in the way: remove it, or wait until who made it is done.")
    for name in sys.argv[1:] or SCENES:
        home.mkdir(mode=0o700)
        try:
            os.environ["SDTUI_HOME"] = str(home)
            asyncio.run(SCENES[name](home / "outputs"))
        finally:
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
