"""Files for clients on another machine: images and traces for them to see, pictures from them to start from."""

from __future__ import annotations

import os
import re
import stat
from typing import Final

from sdcore.atomic import write_atomically
from sdcore.engine.messages import FilePart, GetFile, InputTaken, PutInput
from sdcore.library import paths
from sdcore.library.grounds import Grounds
from sdcore.library.inputs import PREFIX

PART: Final = 64 * 1024
"""Bytes that go over the line at a time, so that a preview never waits for more than these."""

MAX_INPUT: Final = 256 << 20
_REF: Final = re.compile(r"input:[0-9a-f]{16}")


def part(command: GetFile) -> FilePart:
    """The part that is asked for. Never raises."""
    path = Grounds().real(command.path)
    if path is None:
        return FilePart(request=command.request, problem="That is no image in a folder of the library.")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                return FilePart(request=command.request, problem="That is no file.")
            file.seek(max(0, command.offset))
            data = file.read(PART)
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        problem = f"The image is not to be had: {reason}."
        return FilePart(request=command.request, problem=problem)
    return FilePart(request=command.request, offset=command.offset, total=about.st_size, data=data)


class Intake:
    """Pictures that a client sends in parts. One for each client: what it began ends with it."""

    def __init__(self) -> None:
        self._parts: dict[str, bytearray] = {}

    def take(self, command: PutInput) -> InputTaken | None:
        """Take a part; says after the last one what became of the picture. Never raises."""
        if not _REF.fullmatch(command.ref) or not 0 < command.total <= MAX_INPUT:
            return InputTaken(ref=command.ref, problem="That is no picture to start from.")
        held = self._parts.setdefault(command.ref, bytearray())
        if command.offset != len(held) or len(held) + len(command.data) > command.total:
            del self._parts[command.ref]
            return InputTaken(ref=command.ref, problem="A part of the picture was lost; send it again.")
        held += command.data
        if len(held) < command.total:
            return None
        del self._parts[command.ref]
        try:
            write_atomically(paths.inputs_dir() / f"{command.ref.removeprefix(PREFIX)}.png", bytes(held))
        except OSError as fault:
            problem = f"The picture could not be kept on the engine's machine: {fault.strerror}."
            return InputTaken(ref=command.ref, problem=problem)
        return InputTaken(ref=command.ref)
