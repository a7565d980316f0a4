"""Which engine the app uses: that of this machine, or that of another one, through ssh."""

from __future__ import annotations

import shlex

from sdcore.engine.client import EngineClient
from tui.line.link import Engine, OpenEngine


def local(device: str) -> OpenEngine:
    """Lines to the engine of this machine, which is started on `device` where there is none."""
    return lambda: EngineClient(device=device)


def remote(target: str, *, ssh: str, command: str) -> OpenEngine:
    """Lines to the engine of `target` (user@host). The first is opened now, while ssh may still ask for a password;
    raises `EngineError`. `ssh` is how ssh is called, `command` how sdtui is called over there."""
    from sdcore.engine.remote import RemoteClient
    from sdcore.engine.ssh import Line

    def line() -> Line:
        return Line(target, ssh=shlex.split(ssh), remote=command)

    first = line()
    first.open()
    lines = [first]

    def open_engine() -> Engine:
        return RemoteClient(lines.pop() if lines else line())

    return open_engine
