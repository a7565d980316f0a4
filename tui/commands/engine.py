"""`sdtui status` and `sdtui stop`: the engine process that the app leaves running."""

from __future__ import annotations

import asyncio
from argparse import Namespace

import msgspec

from sdcore.engine.client import EngineClient
from sdcore.engine.messages import GetStatus, Shutdown, Status
from sdcore.engine.wire import EngineError, socket_path
from tui.commands.console import CommandError, say, say_json

_ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.02
_NONE = "No engine is running."


def status(options: Namespace) -> int:
    """Say what the engine is doing."""
    found = asyncio.run(_ask())
    if options.json:
        say_json({"running": None, "pid": None} if found is None else msgspec.to_builtins(found))
    elif found is None:
        say(_NONE)
    else:
        doing = f"{found.model or 'no model'} on {found.device or 'a device being found'}"
        jobs = f"{'1 job runs' if found.running else 'no job runs'}, {found.queued} queued"
        minutes, seconds = divmod(int(found.uptime_seconds), 60)
        uptime = f"up {minutes}:{seconds:02d} min"
        say(f"Engine {found.pid}, {uptime}: {doing}; {jobs}; {found.clients - 1} attached.")
    return 0


def stop(options: Namespace) -> int:
    """End the engine now, whatever it is doing."""
    say("The engine has ended." if asyncio.run(_end()) else _NONE)
    return 0


async def _reach() -> EngineClient | None:
    try:
        if not socket_path().exists():
            return None
        client = EngineClient()
        await client.connect(spawn=False)
    except EngineError as fault:
        if str(fault) == _NONE:
            return None
        raise CommandError(str(fault)) from fault
    return client


async def _ask() -> Status | None:
    client = await _reach()
    if client is None:
        return None
    try:
        client.send(GetStatus())
        async with asyncio.timeout(_ANSWER_SECONDS):
            async for event in client.events():
                if isinstance(event, Status):
                    return event
    except TimeoutError as fault:
        raise CommandError("The engine does not answer; end it with sdtui stop.") from fault
    finally:
        await client.close()
    return None


async def _end() -> bool:
    client = await _reach()
    if client is None:
        return False
    try:
        client.send(Shutdown(when_idle=False))
        async with asyncio.timeout(_ANSWER_SECONDS):
            while client.connected:
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as fault:
        raise CommandError("The engine does not end; see its process in ps and kill it.") from fault
    finally:
        await client.close()
    return True
