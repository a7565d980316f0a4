"""The command that fetches images to the machine in front of which a person sits."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
from collections.abc import Iterable, Mapping
from typing import Final

_USUAL_PORT: Final = "22"
_PORT: Final = re.compile(r"(.*[^:]):([0-9]+)")


def scp_line(paths: Iterable[str], environ: Mapping[str, str] | None = None) -> str:
    """`scp user@host:path .` for files of this machine, quoted for a shell. The host is the address at which SSH was
    reached, where the person came by SSH; otherwise this machine's name."""
    environ = os.environ if environ is None else environ
    parts = environ.get("SSH_CONNECTION", "").split()
    host, port = (parts[2], parts[3]) if len(parts) == 4 else (socket.gethostname(), _USUAL_PORT)
    if ":" in host:
        host = f"[{host}]"
    options = [] if port == _USUAL_PORT else ["-P", port]
    names = [f"{_user(environ)}@{host}:{path}" for path in paths]
    return shlex.join(["scp", *options, *names, "."])


def far_scp_line(machine: str, paths: Iterable[str]) -> str:
    """The same for files of a machine as ssh names it: user@host, a name of its configuration, ssh://user@host:port."""
    host, port = machine.removeprefix("ssh://"), _USUAL_PORT
    if found := _PORT.fullmatch(host):
        host, port = found[1], found[2]
    options = [] if port == _USUAL_PORT else ["-P", port]
    return shlex.join(["scp", *options, *(f"{host}:{path}" for path in paths), "."])


def _user(environ: Mapping[str, str]) -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return environ.get("USER", "user")
