"""The other side of a line (`sdcore.engine.ssh`): starts the engine, and holds a door to its socket open.

The socket's own path is known here alone; the line was given the name of a link before it began.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sdcore.engine import wire
from sdcore.engine.client import EngineClient
from sdcore.engine.ssh import READY, is_link


def hold(link: str, device: str) -> None:
    """Make sure that an engine runs, put `link` to its socket, say so on stdout, and wait for the end of stdin.

    Raises `EngineError`.
    """
    if not is_link(link):
        raise wire.EngineError("A gate is opened by sdtui --host on the other side, not by hand.")
    asyncio.run(_start(device))
    path = Path(link)
    try:
        path.symlink_to(wire.socket_path())
    except OSError as fault:
        raise wire.EngineError(f"{link} cannot be made: {fault.strerror}.") from fault
    try:
        sys.stdout.buffer.write(READY + b"\n")
        sys.stdout.buffer.flush()
        while sys.stdin.buffer.read(4096):
            pass
    finally:
        path.unlink(missing_ok=True)


async def _start(device: str) -> None:
    client = EngineClient(device=device)
    await client.connect()
    await client.close()
