"""The one process that writes the index: how it is started, and how it ends.

    python -m sdcore.library.index.keeper

It lives as long as the pipe that is its standard input is open at the other end, which the system closes even for an
app that was killed. Each app starts one, all but one of them wait for the lock.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from typing import Final

from sdcore.engine.log import log_to, log_unforeseen
from sdcore.environment import for_child
from sdcore.library import paths

_NICENESS: Final = 10
_LOCK_SECONDS: Final = 0.5
_FAREWELL_SECONDS: Final = 2.0
_MAX_LOG: Final = 256 * 1024


class Keeper:
    """A keeper that was started."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def close(self, seconds: float = 0.5) -> None:
        """Tell it to end, and wait so long for that; it ends soon in any case. Never fails."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)


def start_keeper() -> Keeper:
    """Start a keeper in a session of its own, where no signal of the terminal reaches it; it ends with this process.

    Returns within milliseconds. Raises OSError.
    """
    with open(paths.state_dir() / "keeper.log", "ab", opener=_private) as log:
        if log.tell() > _MAX_LOG:
            log.truncate(0)
        return Keeper(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "sdcore.library.index.keeper"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=for_child(),
                cwd="/",
                start_new_session=True,
            )
        )


def main() -> None:
    """Wait for the lock, then keep the index until standard input ends."""
    from sdcore.library.index import lock, schema
    from sdcore.library.index.keeping import Keeping

    log_to(sys.stderr)
    log_unforeseen()
    os.nice(_NICENESS)
    stop = threading.Event()
    threading.Thread(target=_await_end, args=(stop,), daemon=True).start()
    index = schema.index_file()
    while (held := lock.take(index)) is None:
        if stop.wait(_LOCK_SECONDS):
            return
    try:
        Keeping(index, stop).run()
    finally:
        os.close(held)


def _await_end(stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    stop.set()
    # Whatever it is in the middle of, the database is made to be left so.
    time.sleep(_FAREWELL_SECONDS)
    os._exit(0)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


if __name__ == "__main__":
    main()
