"""An engine that does what a test tells it: the same interface, no process and no torch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from sdcore.engine import messages as m
from sdcore.spec.recipe import Recipe

CommandT = TypeVar("CommandT", bound=m.Command)


class FakeEngine:
    """Notes what is sent; `tell` makes it say something; `die` ends the line."""

    def __init__(self, *, unreachable: str = "") -> None:
        self.sent: list[m.AnyCommand] = []
        self.answer: Callable[[m.AnyCommand], Iterable[m.AnyEvent]] = lambda command: ()
        """What it says to a command by itself, for example `RecordedRun.answer`."""
        self.tried = False
        self.connected = False
        self.closed = False
        self.killed = False
        self._unreachable = unreachable
        self._unheard = 0
        self._events: asyncio.Queue[m.AnyEvent | None] = asyncio.Queue()

    async def connect(self) -> None:
        self.tried = True
        if self._unreachable:
            raise ConnectionError(self._unreachable)
        self.connected = True

    def send(self, command: m.AnyCommand) -> None:
        self.sent.append(command)
        self.tell(*self.answer(command))

    async def events(self) -> AsyncIterator[m.AnyEvent]:
        while (event := await self._events.get()) is not None:
            yield event
            self._unheard -= 1

    def kill(self) -> None:
        self.killed = True

    async def close(self) -> None:
        self.closed = True
        self.die()

    def tell(self, *events: m.AnyEvent) -> None:
        for event in events:
            self._unheard += 1
            self._events.put_nowait(event)

    def die(self) -> None:
        self._events.put_nowait(None)

    @property
    def heard(self) -> bool:
        """Whether the app has reached for it, and has taken up all that it was told."""
        return self.closed or (self.tried and (bool(self._unreachable) or not self._unheard))

    def commands(self, kind: type[CommandT]) -> list[CommandT]:
        return [command for command in self.sent if isinstance(command, kind)]

    # What a real one would say

    def ready(self) -> None:
        self.tell(
            m.EngineReady(protocol=m.PROTOCOL, pid=1, device="cpu", device_name="CPU", dtype="float32", version="0"),
            m.ModelLoaded(model="tiny", family="SD1", device="cpu", dtype="float32", seconds=0.4,
                          parameters=18_000_000, native_size=128, model_hash="0123456789"),
        )  # fmt: skip

    def plan(self, steps: int = 30) -> None:
        """Answer the newest `PlanSchedule`."""
        request = self.commands(m.PlanSchedule)[-1].request
        self.tell(m.SchedulePlanned(request=request, timesteps=timesteps(steps), sigmas=sigmas(steps)))

    def start(self, generate: m.Generate) -> None:
        recipe = generate.recipe
        self.tell(
            m.JobQueued(job=generate.job, position=0, recipe=recipe),
            m.JobStarted(
                job=generate.job,
                recipe=recipe,
                timesteps=timesteps(recipe.steps),
                sigmas=sigmas(recipe.steps),
            ),
        )

    def progress(self, job: str, index: int, recipe: Recipe, passes: int = 1, seconds: float = 0.032) -> None:
        steps = recipe.steps
        self.tell(m.JobProgress(job=job, index=index, total=steps, timestep=timesteps(steps)[index],
                                sigma=sigmas(steps)[index], seconds=(seconds,) * passes))  # fmt: skip


def timesteps(steps: int) -> tuple[float, ...]:
    """Evenly spaced, as SD 1's scheduler has them."""
    return tuple(999.0 * (1 - index / max(1, steps - 1)) for index in range(steps))


def sigmas(steps: int) -> tuple[float, ...]:
    """SD 1's scaled-linear betas at those timesteps, and the end."""
    betas = [(0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * t / 999) ** 2 for t in range(1000)]
    product, table = 1.0, []
    for beta in betas:
        product *= 1 - beta
        table.append(((1 - product) / product) ** 0.5)
    return (*(table[round(t)] for t in timesteps(steps)), 0.0)
