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
from sdcore.spec import views as v
from sdcore.spec.lineage import Parent
from sdcore.spec.recipe import Recipe
from tests.hostile import line, texts
from tests.hostile_home import forks
from tests.ui.recorded_run import RecordedRun

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


class _Run(RecordedRun):
    """A run whose words, tensors and files are called by payloads. Of its guidance nothing can be told but why."""

    def __init__(self) -> None:
        super().__init__(
            _RECIPE, images=(str(forks()[3]),), parent=Parent(image=line("rp"), step=1), left_out=_text("rl")
        )
        self.info = msgspec.structs.replace(self.info, family=line("rf"), model_hash=line("rh"))
        self.broken = {"guidance": _text("ev")}

    def _view(self, question: m.GetView) -> m.AnyEvent:
        answer = super()._view(question)
        if isinstance(answer, m.ViewReady) and isinstance(answer.view, v.TextView | v.AttentionView):
            return msgspec.structs.replace(answer, view=_hostile(answer.view))
        return answer


def _hostile(view: v.TextView | v.AttentionView) -> v.AnyView:
    if isinstance(view, v.AttentionView):
        return msgspec.structs.replace(view, word=line("at", view.position))
    kinds: tuple[v.TokenKind, ...] = ("start", *("word",) * len(texts("tk")), "end", "padding", "padding")
    said = (line("ts"), *texts("tk"), *(line("te"),) * 3)
    tokens = tuple(
        v.TokenView(position=place, id=place, text=text, kind=kind, attended=kind != "padding", norm=1.0, distance=1.0)
        for place, (kind, text) in enumerate(zip(kinds, said, strict=True))
    )  # fmt: skip
    both = v.PromptView(tokens=tokens, left_out=line("tl"))
    return v.TextView(
        prompt=both, negative=both, shapes=((line("tn"), (1, 77)), (line("tn", 3), (2, 77, 768)))
    )


def _compare(command: m.CompareTraces) -> Iterator[m.AnyEvent]:
    words = tuple(v.WordRun(kind=kind, text=_text("cw")) for kind in ("kept", "removed", "added"))
    fields = tuple(v.ParameterDifference(name=text, first=text, second=text) for text in texts("cp")[:4])
    view = v.CompareView(
        prompt=words, negative_prompt=words, parameters=fields, divergence=(), apart=_text("ca")
    )
    yield m.Compared(request=command.request, view=view)


def _plan(command: m.PlanSchedule) -> Iterator[m.AnyEvent]:
    yield m.SchedulePlanned(request=command.request, problem=_text("ep"))


_ANSWERS: Final[dict[type, Callable[[Any], Iterator[m.AnyEvent]]]] = {
    m.Generate: _generate,
    m.PlanSchedule: _plan,
    m.LoadModel: lambda command: iter([m.ModelFailed(model=command.model, message=_text("em"))]),
    m.OpenTrace: lambda command: iter(_Run().answer(command)),
    m.GetView: lambda command: iter(_Run().answer(command)),
    m.CompareTraces: _compare,
    m.SaveTrace: lambda command: iter([m.TraceSaved(request=command.request, path=f"/{line('wr')}/{_text('wr')}")]),
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
