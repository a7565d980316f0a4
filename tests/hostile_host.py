"""An engine that answers everything in hostile sentences, on the socket where the app looks for one.

python -m tests.hostile_host
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from sdcore.engine import messages as m
from sdcore.engine import wire
from sdcore.spec.recipe import Recipe
from tests.hostile import line, texts

_STEPS: Final = 3
_SIGMAS: Final = (14.6, 3.0, 1.0, 0.0)
_TIMES: Final = (999.0, 500.0, 1.0)
_numbers: Final = itertools.count()
_jobs: Final = itertools.count()
_RECIPE: Final = Recipe(
    prompt=line("er"), negative_prompt=line("er", 4), model="tiny", sampler=line("er", 8), steps=_STEPS
)


def _text(code: str) -> str:
    """Another text each time."""
    found = texts(code)
    return found[next(_numbers) % len(found)]


def _first() -> Iterator[m.AnyEvent]:
    """What a client hears when it comes."""
    yield m.EngineStarting(stage=_text("es"), fraction=0.5)
    yield m.EngineReady(protocol=m.PROTOCOL, pid=1, device=line("ed"), device_name=line("ed", 3),
                        dtype=line("ed", 6), version=line("ed", 9))  # fmt: skip
    yield m.ModelLoading(model=line("el"), stage=_text("es"), fraction=0.5)
    yield m.ModelLoaded(model="tiny", family="SD1", device=line("ed"), dtype=line("ed", 3), seconds=0.1,
                        parameters=1, native_size=128, model_hash=line("eh"))  # fmt: skip
    yield from (
        m.JobKept(
            job=f"kept {number}", recipe=_RECIPE, message=text, group=line("eg"), label=line("ek", number)
        )
        for number, text in enumerate(texts("ej"))
    )
    waiting = [f"wait {number}" for number in range(4)]
    yield from (m.JobQueued(job=job, position=0, recipe=_RECIPE, label=line("ek", 5)) for job in waiting)
    yield m.QueueState(
        order=tuple(waiting), seconds=(1.0,) * 4, held={waiting[0]: _text("eq")}, notice=_text("en")
    )
    yield m.JobNotice(job=waiting[0], message=_text("et"))


def _generate(command: m.Generate) -> Iterator[m.AnyEvent]:
    """By turns a job fails, hangs, and goes well, its image being nowhere."""
    recipe, job, turn = command.recipe, command.job, next(_jobs) % 3
    yield m.JobQueued(job=job, position=0, recipe=recipe, group=command.group, label=command.label)
    yield m.JobStarted(job=job, recipe=recipe, timesteps=_TIMES, sigmas=_SIGMAS)
    yield m.JobProgress(job=job, index=0, total=_STEPS, timestep=999.0, sigma=14.6, seconds=(0.1,))
    if turn == 0:
        yield m.JobFailed(job=job, message=_text("ef"))
    elif turn == 1:
        yield m.JobStalled(job=job, seconds=60.0, message=_text("ex"))
    else:
        saved = m.SavedImage(path=f"/{line('ei')}/{line('ei', 2)}.png", recipe=_RECIPE, width=8, height=8)
        yield m.JobFinished(job=job, images=(saved,), seconds=1.0, steps_per_second=1.0)


def _plan(command: m.PlanSchedule) -> Iterator[m.AnyEvent]:
    yield m.SchedulePlanned(request=command.request, problem=_text("ep"))


_ANSWERS: Final[dict[type, Callable[[Any], Iterator[m.AnyEvent]]]] = {
    m.Generate: _generate,
    m.PlanSchedule: _plan,
    m.LoadModel: lambda command: iter([m.ModelFailed(model=command.model, message=_text("em"))]),
    m.OpenTrace: lambda command: iter([m.TraceFailed(request=command.request, message=_text("ev"))]),
    m.GetView: lambda command: iter([m.TraceFailed(request=command.request, message=_text("ev"))]),
    m.GetStatus: lambda command: iter([
        m.Status(pid=1, uptime_seconds=1.0, model=line("eu"), device=line("eu", 3), running=None, queued=0, clients=2)
    ]),
    m.RunForever: lambda command: iter([m.QueueState(forever=command.recipe, notice=_text("en"))]),
    m.Shutdown: lambda command: iter([m.EngineFailed(message=_text("ez"))]),
}  # fmt: skip


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    hello = wire.Hello(sdtui=m.PROTOCOL, version=line("ev"), pid=1)
    writer.write(wire.frame(msgspec.msgpack.encode(hello)))
    for event in _first():
        writer.write(wire.frame(m.encode(event)))
    while (payload := await wire.read_frame(reader, wire.MAX_COMMAND)) is not None:
        command = m.decode_command(payload)
        for event in _ANSWERS.get(type(command), lambda _: iter(()))(command):
            writer.write(wire.frame(m.encode(event)))
    writer.close()


async def _main() -> None:
    async with await asyncio.start_unix_server(_serve, str(wire.socket_path())) as server:
        print("listening", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
