"""The engine process: serves one engine on a Unix socket to this user's clients.

    python -m sdcore.engine.host [--device auto] [--linger 900]

It lives in a session of its own, so a lost terminal does not end it, and ends when it is asked to, or some
time after its last client left with nothing queued. What it did not get to is the next one's to do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import fcntl
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

import sdcore
from sdcore.engine import wire
from sdcore.engine.local import LocalClient, LocalEngine, torch_backend
from sdcore.engine.log import log_to, log_unforeseen, open_log
from sdcore.engine.messages import PROTOCOL, decode_command, encode
from sdcore.engine.recovery import queue_folder
from sdcore.library import config

LINGER: Final = 900.0
"""Seconds that an engine waits for the next client when it has none and nothing to do."""

_FIRST_CLIENT_SECONDS: Final = 60.0
"""The same for an engine whose starter was gone before it came up."""

_LOCK_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 10.0
_FAREWELL_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Host:
    """An engine on a socket. `serve` returns when the engine has ended and its clients have been told."""

    def __init__(self, engine: LocalEngine, path: Path, *, linger: float = LINGER) -> None:
        self._engine = engine
        self._path = path
        self._linger = linger
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._was_used = False
        self._timer: asyncio.TimerHandle | None = None

    async def serve(self) -> None:
        """Listen at the path (in place of a stale socket), start the engine, and serve until it ends."""
        self._loop = asyncio.get_running_loop()
        self._engine.on_change = self._changed
        server = await asyncio.start_unix_server(self._accept, sock=_listener(self._path))
        self._engine.start()
        self._look()
        try:
            await self._ending.wait()
        finally:
            server.close()
            self._path.unlink(missing_ok=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _STOP_SECONDS)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_FAREWELL_SECONDS)

    def _changed(self) -> None:
        # The engine's threads may outlive the loop by a moment when the process is told to end.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        """Notice the end; set or clear the timer that ends an engine nobody uses."""
        if self._engine.ending:
            self._ending.set()
        if self._engine.ended:
            self._ended.set()
        unused = self._engine.idle and not self._engine.clients
        linger = self._linger if self._was_used else min(self._linger, _FIRST_CLIENT_SECONDS)
        if self._timer is not None and not unused:
            self._timer.cancel()
            self._timer = None
        elif self._timer is None and unused:
            self._timer = self._loop.call_later(linger, self._engine.end)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket")
        if not wire.is_own(peer):
            _log.warning("refused a client of another user")
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None  # asyncio runs this callback as one
        self._tasks.add(task)
        client = self._engine.attach()
        self._was_used = True
        self._look()
        sender = asyncio.create_task(self._send(client, writer))
        try:
            await self._receive(client, reader)
        finally:
            self._engine.detach(client)
            sender.cancel()
            writer.close()
            self._tasks.discard(task)

    async def _receive(self, client: LocalClient, reader: asyncio.StreamReader) -> None:
        try:
            while (payload := await wire.read_frame(reader, wire.MAX_COMMAND)) is not None:
                client.send(decode_command(payload))
        except (wire.WireError, msgspec.DecodeError) as error:
            _log.warning("dropped a client: %s", error)

    async def _send(self, client: LocalClient, writer: asyncio.StreamWriter) -> None:
        """Send events as fast as the client takes them: what waits, waits in the mailbox, and coalesces."""
        writer.transport.set_write_buffer_limits(high=0)
        hello = wire.Hello(sdtui=PROTOCOL, version=sdcore.__version__, pid=os.getpid())
        with contextlib.suppress(ConnectionError):
            writer.write(wire.frame(msgspec.msgpack.encode(hello)))
            async for event in client.events():
                writer.write(wire.frame(encode(event)))
                await writer.drain()
            writer.write_eof()


def _listener(path: Path) -> socket.socket:
    """A listening socket at `path` with mode 0600; the caller holds the lock, so what is there is stale."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold the lock of the engine at `path`; yields False where another engine holds it and listens.

    An engine that is about to end is waited for. The lock goes with the process, however that ends.
    """
    descriptor = os.open(wire.lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _lock(descriptor, path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> bool:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _is_served(path) or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


async def _serve(engine: LocalEngine, path: Path, linger: float) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.end, "The engine was told to stop by the system.")
    await Host(engine, path, linger=linger).serve()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine until it ends. Returns 0, also where another one serves; 1 if it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m sdcore.engine.host", description="The engine of sdtui.")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--linger", type=float, help="seconds to wait for a client; else the setting's minutes"
    )
    options = parser.parse_args(arguments)
    try:
        path = wire.socket_path()
    except wire.EngineError as error:
        print(error, file=sys.stderr)
        return 1
    with only_one(path) as alone:
        if not alone:
            return 0
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        log = open_log()
        log_to(log)
        log_unforeseen()
        faulthandler.enable(log)
        _log.info("engine %s started, process %d", sdcore.__version__, os.getpid())
        engine = LocalEngine(torch_backend(options.device, polite=True), queue_folder=queue_folder())
        warm = 60.0 * config.load()[0].keep_warm_minutes
        asyncio.run(_serve(engine, path, warm if options.linger is None else options.linger))
        _log.info("engine ended")
        log.flush()
        if engine.forced or not engine.ended:
            os._exit(1)  # a forward pass of minutes is under way, and nobody is left to wait for it
    return 0


if __name__ == "__main__":
    sys.exit(main())
