"""How the two sides meet: the socket's place, who may use it, and the frames on it.

A frame is a length in four bytes, highest first, and as many bytes of msgpack. The engine's first frame is a
`Hello`, whose layout never changes, so that two versions can at least tell that they differ.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import stat
import struct
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from sdcore.library import paths

MAX_COMMAND: Final = 1 << 20
MAX_EVENT: Final = 16 << 20
_MAX_PATH: Final = 103
"""Bytes of a Unix socket's path: 107 on Linux, 103 on macOS."""

_LENGTH: Final = struct.Struct(">I")
_CREDENTIALS: Final = struct.Struct("3i")


class EngineError(ConnectionError):
    """The engine cannot be reached or started; the message is one sentence that says what to do."""


class WireError(Exception):
    """The other side sent something that is no frame of ours."""


class Hello(msgspec.Struct, frozen=True):
    """The engine's first frame."""

    sdtui: int
    version: str
    pid: int


def socket_path() -> Path:
    """Where this user's engine on this machine listens, in a folder of mode 0700. Raises `EngineError`.

    The name holds the machine's, because a home folder may be shared by several. Where the path would be
    too long for a socket, a folder below the temporary one stands in.
    """
    name = f"engine-{machine()}.sock"
    folder = paths.runtime_dir()
    if _fits(folder / name):
        return _private(folder) / name
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = f"sdtui-{os.getuid()}-{digest}"
    roots = [Path(tempfile.gettempdir()), Path("/tmp")]
    folder = next((root / short for root in roots if _fits(root / short / name)), roots[-1] / short)
    return _private(folder) / name


def machine() -> str:
    """This machine as a part of a file name: a home folder may be shared by several."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def lock_path(path: Path) -> Path:
    """The lock that the engine listening at `path` holds."""
    return path.with_suffix(".lock")


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= _MAX_PATH


def _private(folder: Path) -> Path:
    """`folder`, made if absent, closed to others; refused when it is somebody else's or a link."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if own and stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise EngineError(f"The engine's folder {folder} cannot be used: {error.strerror}.") from error
    if not own:
        raise EngineError(f"{folder} is a link or somebody else's: remove it, or set SDTUI_HOME elsewhere.")
    return folder


def is_own(peer: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user. True where the system cannot tell: the
    folder's permissions let nobody else in."""
    return not hasattr(socket, "SO_PEERCRED") or _credentials(peer)[1] == os.geteuid()


def peer(connected: socket.socket) -> int:
    """The process at the other end, 0 where the system cannot tell."""
    return _credentials(connected)[0]


def _credentials(connected: socket.socket) -> tuple[int, int, int]:
    """Process, user and group at the other end; 0, 0, 0 where the system cannot tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, 0, 0
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, group = _CREDENTIALS.unpack(raw)
    return process, user, group


def frame(payload: bytes) -> bytes:
    """`payload` as it goes over the socket."""
    return _LENGTH.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader, limit: int) -> bytes | None:
    """The next payload, or None where the stream ends. Raises `WireError` for one above `limit` bytes."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > limit:
            raise WireError(f"a frame of {length} bytes is above the limit of {limit}")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
