"""`sdtui status`, `attach` and `stop`: the engine process that the app leaves running."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from sdcore.engine.client import EngineClient, kill_engine
from sdcore.engine.messages import GetStatus, JobQueued, RemoveJobs, Shutdown, Status
from sdcore.engine.wire import EngineError, socket_path
from tui.commands.console import USAGE, CommandError, say, say_json
from tui.durations import clock
from tui.shortening import shortened

_ANSWER_SECONDS: Final = 10.0
_END_SECONDS: Final = 15.0
_FORCE_SECONDS: Final = 3.0
"""So long an engine may take to say, to end, and to end though a step hangs."""
_POLL_SECONDS: Final = 0.02
_PROMPT: Final = 60
_NONE: Final = "No engine is running."
_ENDED: Final = "The engine has ended."


def status(options: Namespace) -> int:
    """Say what the engine is doing."""
    found = asyncio.run(_ask())
    if options.json:
        say_json({"running": None, "pid": None} if found is None else msgspec.to_builtins(found))
    else:
        say(_NONE if found is None else "\n".join(_told(found)))
    return 0


def attach(options: Namespace) -> int:
    """Open the app on the engine that runs; without one, say so and start none."""
    from tui.commands import open as app

    if options.host is None and asyncio.run(_ask()) is None:
        raise CommandError(f"{_NONE} Start one, and the app, with sdtui.")
    return app.run(options)


def stop(options: Namespace) -> int:
    """End the engine, and say what becomes of what it was doing."""
    chosen = [name for name in _WAYS if getattr(options, name)]
    if len(chosen) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise CommandError(f"{flags} are different things: choose one.", USAGE)
    try:
        said = asyncio.run(_stopped(_WAYS[chosen[0]] if chosen else _keep))
    except EngineError as fault:  # it does not even say what it is
        if not options.force:
            raise CommandError(str(fault)) from fault
        said = _kill()
    say(said)
    return 0


def _told(found: Status) -> list[str]:
    lines = [
        f"Engine {found.pid}, up {clock(found.uptime_seconds)}: {found.model or 'no model'} on "
        f"{found.device or 'a device being found'}; {found.clients - 1} attached."
    ]
    if found.running is None:
        lines.append("Nothing is being made.")
    else:
        left = "" if found.seconds_left is None else f", {clock(found.seconds_left)} left"
        what = f"{found.label}: {found.prompt}" if found.label else found.prompt
        lines.append(
            f"Making “{shortened(what, _PROMPT)}”: {found.steps_done} of {found.steps_total} steps{left}."
        )
    takes = f" (about {clock(found.queued_seconds)})" if found.queued and found.queued_seconds else ""
    counts = ((found.queued, f"queued{takes}"), (found.held, "held"), (found.failed, "failed"))
    if any(count for count, _ in counts):
        lines.append(", ".join(f"{count} {word}" for count, word in counts if count) + ".")
    lines += ["The queue is paused."] if found.paused else []
    lines += ["It goes on without end."] if found.forever else []
    return [*lines, found.notice] if found.notice else lines


async def _reach() -> EngineClient | None:
    try:
        if not socket_path().exists():
            return None
        client = EngineClient()
        await client.connect(spawn=False)
    except EngineError as fault:
        if str(fault) == _NONE:
            return None
        raise
    return client


async def _ask() -> Status | None:
    try:
        client = await _reach()
    except EngineError as fault:
        raise CommandError(str(fault)) from fault
    if client is None:
        return None
    try:
        return (await _look(client))[0]
    finally:
        await client.close()


async def _look(client: EngineClient) -> tuple[Status | None, tuple[str, ...]]:
    """What the engine is doing, and the jobs that are not at their end. Raises `CommandError`."""
    client.send(GetStatus())
    jobs = []
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            async for event in client.events():
                if isinstance(event, JobQueued):
                    jobs.append(event.job)
                elif isinstance(event, Status):
                    return event, tuple(jobs)
    except TimeoutError as fault:
        raise CommandError("The engine does not answer; end it with sdtui stop --force.") from fault
    return None, ()


async def _stopped(way: Way) -> str:
    client = await _reach()
    if client is None:
        return _NONE
    try:
        return await way(client)
    finally:
        await client.close()


async def _keep(client: EngineClient) -> str:
    """End it before its next forward pass."""
    _, jobs = await _look(client)
    await _end(client)
    kept = "release what is held in the queue of the next sdtui"
    return f"The engine has ended. {_counted(jobs)} kept: {kept}." if jobs else _ENDED


async def _drop(client: EngineClient) -> str:
    """The same, with an empty queue."""
    _, jobs = await _look(client)
    client.send(RemoveJobs(jobs=jobs))
    await _end(client)
    return f"The engine has ended, and {_counted(jobs)} dropped." if jobs else _ENDED


def _counted(jobs: tuple[str, ...]) -> str:
    return "1 unfinished job is" if len(jobs) == 1 else f"{len(jobs)} unfinished jobs are"


async def _end(client: EngineClient) -> None:
    client.send(Shutdown(when_idle=False))
    if not await _gone(client, _END_SECONDS):
        raise CommandError("The engine does not end: a step hangs. End it with sdtui stop --force.")


async def _let_finish(client: EngineClient) -> str:
    """Have it end after its last job."""
    found, _ = await _look(client)
    if found is None:
        return _ENDED
    client.send(Shutdown())
    count = found.queued + (found.running is not None)
    after = ["its last job" if count == 1 else f"{count} more jobs"] if count else []
    after += ["the last sdtui that is attached"] if found.clients > 1 else []
    return f"The engine ends after {' and '.join(after)}." if after else _ENDED


async def _force(client: EngineClient) -> str:
    """End it though a step hangs; where it does not even listen, by a signal."""
    client.send(Shutdown(by_force=True))
    if await _gone(client, _FORCE_SECONDS):
        return "The engine was ended by force. What it was making is held; the rest of the queue is kept."
    return _kill()


def _kill() -> str:
    if not kill_engine():
        raise CommandError(
            "The engine's process is not to be found; look for sdcore.engine.host in ps, and kill it."
        )
    return "The engine was killed. The next one tries what it was making once more."


Way = Callable[[EngineClient], Awaitable[str]]
_WAYS: Final[dict[str, Way]] = {"drop": _drop, "when_done": _let_finish, "force": _force}
"""The ways to end an engine, by their options."""


async def _gone(client: EngineClient, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while client.connected:
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return False
    return True
