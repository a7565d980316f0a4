"""The engine as the app sees it: commands out, events in, over the socket of the engine process. No torch.

client = EngineClient()
await client.connect()              # attaches to the running engine, or starts one
client.send(Generate(job=uuid4().hex, recipe=recipe))
async for event in client.events(): ...
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

import sdcore
from sdcore import environment
from sdcore.engine import wire
from sdcore.engine.log import last_line, log_path, open_log
from sdcore.engine.mailbox import Mailbox
from sdcore.engine.messages import (
    PROTOCOL,
    AnyCommand,
    AnyEvent,
    EngineFailed,
    EngineStarting,
    Generate,
    JobFailed,
    LoadModel,
    ModelFailed,
    PlanSchedule,
    SchedulePlanned,
    SetPreview,
    Shutdown,
    decode_event,
    encode,
)
from sdcore.engine.wire import EngineError

__all__ = ["EngineClient", "EngineError"]

_START_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 0.03
_EXIT_SECONDS: Final = 1.0
HELLO_SECONDS: Final = 10.0
"""An engine that says nothing for so long hangs."""


class EngineClient:
    """One connection to the engine process. Belongs to one event loop; `send` may be called at any time.

    `device` is given to an engine that has to be started; `command` replaces the way of starting it.
    """

    def __init__(
        self, *, device: str = "auto", command: Sequence[str] | None = None, path: Path | None = None
    ) -> None:
        self._command = list(
            command or (sys.executable, "-P", "-m", "sdcore.engine.host", "--device", device)
        )
        self._needs_libraries = command is None
        self._path = path
        self._mailbox = Mailbox(beat=0)
        self._connecting = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._unsent: list[AnyCommand] = []
        self._preview: SetPreview | None = None
        self._expects_end = False
        self._oom_kills = 0

    @property
    def connected(self) -> bool:
        """Whether commands reach an engine now."""
        return self._writer is not None

    async def connect(self, *, spawn: bool = True) -> None:
        """Attach to the running engine, or start one (`spawn`). Does nothing when attached.

        What the engine is doing already comes as events. Raises `EngineError` with one sentence when it
        cannot be reached, cannot be started, or is of another version. May be called again after it died.
        """
        async with self._connecting:
            if self.connected:
                return
            if self._reading is not None:  # of an engine that is gone
                self._mailbox, self._reading = Mailbox(beat=0), None
            path = self._path or wire.socket_path()
            deadline = time.monotonic() + _START_SECONDS
            while (streams := await _open(path)) is None:
                if not spawn:
                    raise EngineError("No engine is running.")
                self._see_to_process()
                if time.monotonic() > deadline:
                    raise EngineError(
                        f"The engine did not answer within {_START_SECONDS:.0f} s; see {log_path()}."
                    )
                await asyncio.sleep(_RETRY_SECONDS)
            self._attach(*streams)

    def send(self, command: AnyCommand) -> None:
        """Give the engine a command; before `connect` is through, or after the engine died, it is kept for
        the next connection. Returns at once; the answers are events."""
        if isinstance(command, SetPreview):
            self._preview = command
        if self._writer is None:
            self._unsent.append(command)
            return
        if isinstance(command, Shutdown):
            self._expects_end = True
        try:
            self._writer.write(wire.frame(encode(command)))
        except UnicodeEncodeError:
            self._refuse(command)

    def events(self) -> AsyncIterator[AnyEvent]:
        """The events, in order, until `close` or the engine's end. For one reader; a slow one gets the newest
        progress and preview alone.

        An engine that dies says or is given an `EngineFailed`, its last event; after another `connect` ask
        for the events anew.
        """
        return aiter(self._mailbox)

    def kill(self) -> None:
        """End the engine at once, where it is a process of this machine: it may not even listen any more."""
        if self._path is None:
            kill_engine()

    async def close(self) -> None:
        """Leave the engine. Its jobs go on, unless `Shutdown` was sent. The events end."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._mailbox.close()

    def _refuse(self, command: AnyCommand) -> None:
        message = "The text holds half of a character (a lone surrogate): delete it and type it again."
        match command:
            case Generate():
                self._mailbox.put(JobFailed(job=command.job, message=message))
            case PlanSchedule():
                self._mailbox.put(SchedulePlanned(request=command.request, problem=message))
            case LoadModel():
                self._mailbox.put(ModelFailed(model=command.model, message=message))

    def _see_to_process(self) -> None:
        """Start an engine unless one of ours is on its way. Raises `EngineError` if that one failed."""
        if self._process is not None and (status := self._process.poll()) is not None:
            self._process = None
            if status != 0:
                raise EngineError(f"The engine could not be started ({_reason(status)}); see {log_path()}.")
        if self._process is None:
            if self._needs_libraries and (lacking := environment.no_engine()):
                raise EngineError(lacking)
            self._mailbox.put(EngineStarting(stage="the engine", fraction=0.0))
            self._process = _start(self._command)

    def _attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._oom_kills = oom_kills()
        self._expects_end = False
        commands, self._unsent = self._unsent, []
        if self._preview is not None and self._preview not in commands:
            commands.insert(0, self._preview)
        for command in commands:
            self.send(command)
        self._reading = asyncio.create_task(self._read(reader, self._mailbox))

    async def _read(self, reader: asyncio.StreamReader, mailbox: Mailbox) -> None:
        told = False
        try:
            while (payload := await wire.read_frame(reader, wire.MAX_EVENT)) is not None:
                event = decode_event(payload)
                told = told or isinstance(event, EngineFailed)
                mailbox.put(event)
        except (wire.WireError, msgspec.DecodeError) as error:
            told = True
            mailbox.put(EngineFailed(message=f"The engine said something that is not understood: {error}."))
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if not told and not self._expects_end:
            mailbox.put(EngineFailed(message=await self._epitaph(), died=True))
        mailbox.close()

    async def _epitaph(self) -> str:
        """Why the engine is gone, as far as that can be told from here."""
        if self._path is not None:  # at the other end of a line
            return "The engine stopped unexpectedly."
        status = None
        deadline = time.monotonic() + _EXIT_SECONDS
        while self._process is not None:
            if (status := self._process.poll()) is not None or time.monotonic() >= deadline:
                break
            await asyncio.sleep(_RETRY_SECONDS)
        self._process = None
        starved = oom_kills() > self._oom_kills
        reason = " (the machine's memory was full)" if starved else f" ({_reason(status)})" if status else ""
        return f"The engine stopped unexpectedly{reason}; see {log_path()}."


def kill_engine() -> bool:
    """End this machine's engine by a signal that it cannot overhear; whether there is one that can be told."""
    with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
        line.connect(str(wire.socket_path()))
        if wire.is_own(line) and (process := wire.peer(line)) > 1:
            os.kill(process, signal.SIGKILL)
            return True
    return False


async def _open(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """A greeted connection, or None where nobody answers. Raises `EngineError` for an engine unlike ours."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=wire.MAX_EVENT)
    except (ConnectionError, FileNotFoundError):
        return None
    except OSError as error:
        raise EngineError(f"The engine's socket {path} cannot be used: {error.strerror}.") from error
    greeted = False
    try:
        if not wire.is_own(writer.get_extra_info("socket")):
            raise EngineError(f"{path} belongs to somebody else: set SDTUI_HOME to another folder.")
        async with asyncio.timeout(HELLO_SECONDS):
            payload = await wire.read_frame(reader, wire.MAX_COMMAND)
        if payload is not None:  # else it was about to end
            _check(msgspec.msgpack.decode(payload, type=wire.Hello))
            greeted = True
    except TimeoutError as error:
        raise EngineError("The engine does not answer; end it with sdtui stop --force.") from error
    except (wire.WireError, msgspec.DecodeError) as error:
        raise EngineError(f"What listens at {path} is no engine of sdtui: remove it.") from error
    finally:
        if not greeted:
            writer.close()
    return (reader, writer) if greeted else None


def _check(hello: wire.Hello) -> None:
    if hello.sdtui != PROTOCOL:
        raise EngineError(
            f"The running engine is of another version ({hello.version[:40]}, this is {sdcore.__version__}): "
            f"end it with kill {hello.pid}, then start again."
        )


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """The engine process in a session of its own, so that it outlives this terminal."""
    try:
        with open_log() as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment.for_child(),
                cwd="/",
                start_new_session=True,
            )
    except OSError as error:
        raise EngineError(f"The engine could not be started: {error.strerror}.") from error


def oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int:
    """How many processes this machine has ended for lack of memory since it runs; 0 where it does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in vmstat.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def _reason(status: int) -> str:
    """An exit status in words; without a signal, what the log says last."""
    if status < 0:
        name = signal.Signals(-status).name
        return f"killed by {name}"
    return last_line() or f"exit status {status}"
