"""A line to the engine of another machine through the system's own `ssh`: a Unix socket here that leads to its.

One ssh process does it all: it forwards the socket, and runs `sdtui gate` on the other side, which starts the engine
where there is none and holds the door open for as long as the line stands. Keys, agents, jump hosts and known hosts
are those of the person's ssh configuration; no port is opened on either side.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sdcore.engine.wire import EngineError
from sdcore.spec.sanitise import sanitise

READY: Final = b"sdtui gate is open"
"""What `sdtui gate` prints when the engine can be reached; what comes before it is the greeting of a login shell."""

_TARGET: Final = re.compile(r"(ssh://)?([\w.+-]+@)?(\[[0-9A-Fa-f:.%]+\]|[\w.-]+)(:[0-9]{1,5})?")
_LINK: Final = re.compile(r"/tmp/sdtui-[0-9a-f]{32}\.sock")
_MAX_GREETING: Final = 1 << 20
_GATE_SECONDS: Final = 120.0
"""So long a person may look for a password; and so long an engine may take to come up on a slow disk."""
_RETRY_SECONDS: Final = 15.0
_CLOSE_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 0.5
_NOT_FOUND: Final = 127
_OPTIONS: Final = (
    "-T", "-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
)  # fmt: skip
"""A line that is dead is noticed within some 15 seconds."""
_SILENT: Final = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
"""For a line that is opened again: nothing may be asked on a screen that is the app's."""


def check_target(target: str) -> str:
    """`target` if it names a machine as ssh has it (user@host, a name of ssh's configuration, ssh://user@host:port);
    raises `EngineError` otherwise, so that no option can be smuggled in."""
    found = _TARGET.fullmatch(target)
    if found is None or target.startswith("-"):
        raise EngineError(f"{sanitise(target, newlines=False)!r} names no machine: write user@host.")
    if found[4] and not found[1]:
        return f"ssh://{target}"
    return target


def is_link(path: str) -> bool:
    """Whether `path` is one that the other side of a line makes up: `sdtui gate` puts a link nowhere else."""
    return _LINK.fullmatch(path) is not None


class Line:
    """An ssh process that holds the line, and the socket on this side of it. Everything here blocks: call it on a
    thread. `ssh` is the program with what it is always given, `remote` how sdtui is called on the other side."""

    def __init__(self, target: str, *, ssh: Sequence[str] = ("ssh",), remote: str = "sdtui") -> None:
        self.target = check_target(target)
        self._ssh = list(ssh)
        self._remote = remote
        self._folder = Path(tempfile.mkdtemp(prefix="sdtui-"))  # 0700
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> Path:
        """The socket on this side. Nobody listens there before `open`."""
        return self._folder / "engine.sock"

    @property
    def stands(self) -> bool:
        """Whether the ssh process is alive."""
        return self._process is not None and self._process.poll() is None

    def settle(self) -> None:
        """Give an ssh process whose connection has just ended the moment that it takes to end itself."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_SETTLE_SECONDS)

    def open(self, *, silent: bool = False) -> None:
        """Open the line, in place of one that broke. ssh may ask for a password or a host key on the terminal, unless
        `silent`. Raises `EngineError` with one sentence that says why not and what to do."""
        self._end()
        link = f"/tmp/sdtui-{secrets.token_hex(16)}.sock"
        if shutil.which(self._ssh[0]) is None:
            raise EngineError(f"The program {self._ssh[0]} is not there: install OpenSSH's client.")
        self.path.unlink(missing_ok=True)
        command = [
            *self._ssh, *_OPTIONS, *(_SILENT if silent else ()), "-L", f"{self.path}:{link}", self.target,
            f"{self._remote} gate {shlex.quote(link)}",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            self._await_gate(_RETRY_SECONDS if silent else _GATE_SECONDS)
        except EngineError:
            self._end()
            raise

    def close(self) -> None:
        """Hang up: the other side's engine goes on with what it has."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _await_gate(self, seconds: float) -> None:
        process = self._process
        assert process is not None  # open has just started it
        assert process.stdout is not None
        seen, deadline = b"", time.monotonic() + seconds
        while READY not in seen:
            left = deadline - time.monotonic()
            ready = select.select([process.stdout], [], [], max(0.0, left))[0]
            heard = os.read(process.stdout.fileno(), 4096) if ready else b""
            if not ready:
                raise EngineError(
                    f"{self.target} did not answer within {seconds:.0f} s; try ssh {self.target}."
                )
            if not heard or len(seen) > _MAX_GREETING:
                raise EngineError(self._why())
            seen += heard

    def _why(self) -> str:
        """Why there is no line, in the words of ssh or of the other side."""
        process = self._process
        assert process is not None  # it ended or said nothing of ours
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CLOSE_SECONDS)
        said = self._words(process)
        if process.returncode == _NOT_FOUND or any(line.endswith("not found") for line in said):
            return (
                f"There is no {self._remote} on {self.target}: say where it is with --remote-command, for example "
                "--remote-command '~/sdtui/.venv/bin/sdtui'."
            )
        return (
            f"No line to {self.target}: {said[-1] if said else 'the other side is no sdtui of this version'}."
        )

    @staticmethod
    def _words(process: subprocess.Popen[bytes]) -> list[str]:
        """What ssh and the other side said, a line each, fit to be shown."""
        assert process.stderr is not None
        heard = b""
        while select.select([process.stderr], [], [], 0)[0]:
            piece = os.read(process.stderr.fileno(), 4096)
            if not piece or len(heard) > _MAX_GREETING:
                break
            heard += piece
        lines = (line.strip() for line in heard.decode(errors="replace").splitlines())
        return [sanitise(line, newlines=False).rstrip(".")[:300] for line in lines if line]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.terminate()
        try:
            process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
