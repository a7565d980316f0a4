"""What a client on another machine asks of the engine's files, and what it is given of them."""

from __future__ import annotations

from sdcore.engine.messages.commands import Command
from sdcore.engine.messages.events import Event


class GetFile(Command, frozen=True):
    """Ask for the bytes of an image, or of a trace, from `offset` on. Only what lies in the folder of the outputs or in
    those of the library is handed out. Answered by `FilePart` alone."""

    request: int
    path: bytes
    offset: int = 0


class PutInput(Command, frozen=True):
    """Give the engine a picture that recipes name as `ref` ("input:" and the first digits of its hash), a part of it at
    a time, in order: `data` begins at `offset` of `total` bytes. Answered by `InputTaken` after the last one."""

    ref: str
    offset: int
    total: int
    data: bytes


class FilePart(Event, frozen=True):
    """The answer to `GetFile`: `data` begins at `offset` of the `total` bytes there are. `problem` says why there are
    none."""

    request: int
    offset: int = 0
    total: int = 0
    data: bytes = b""
    problem: str = ""


class BringFile(Command, frozen=True):
    """Have a copy here of a file of the engine's machine, which has `size` bytes (-1: it is not known how many); with
    `wanted=False`, do not go on with that. Taken by this side of the line, as all that it answers with (`FileBrought`)
    comes from there."""

    request: int
    path: str
    size: int = -1
    wanted: bool = True


class FileBrought(Event, frozen=True):
    """How far `BringFile` is: `done` of `total` bytes are here. At the end either `copy` is the path of the whole copy,
    or `problem` says why there is none."""

    request: int
    done: int = 0
    total: int = 0
    copy: str = ""
    problem: str = ""


class InputTaken(Event, frozen=True):
    """A picture was taken, or could not be, for the reason that `problem` tells."""

    ref: str
    problem: str = ""


class LineLost(Event, frozen=True):
    """The line to an engine on another machine broke; it is opened again by itself. What the engine was given goes on
    there. `message` is a sentence. Told on this side of the line alone, as `LineBack` is."""

    message: str


class LineBack(Event, frozen=True):
    """The line stands again. What the engine is doing follows, as for a client that has just come."""
