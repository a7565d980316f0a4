"""`python -m sdcore.bench`."""

from __future__ import annotations

import sys

from sdcore.bench.command import main

if __name__ == "__main__":
    sys.exit(main())
