"""What the app needs of an engine: `sdcore.engine.client.EngineClient` serves it, tests bring their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from sdcore.engine.messages import AnyCommand, AnyEvent


class Engine(Protocol):
    """A line to an engine. Commands sent before it is up are kept and sent then."""

    async def connect(self) -> None:
        """Reach the engine, starting it where there is none."""

    def send(self, command: AnyCommand) -> None:
        """Send a command; returns at once."""

    def events(self) -> AsyncIterator[AnyEvent]:
        """What the engine tells, until the line is closed or the engine is gone."""

    def kill(self) -> None:
        """End the engine at once, where it is a process of this machine."""

    async def close(self) -> None:
        """Hang up. The engine goes on with what it has."""


class Listener(Protocol):
    """What the app tells of its engine."""

    def handle(self, event: AnyEvent) -> None:
        """Take up what concerns it of an event."""

    def lost(self, message: str) -> None:
        """The engine is gone; `message` says why and what to do."""


OpenEngine = Callable[[], Engine]
