"""`sdtui --host user@box status` and its kin: the command itself runs over there, what it prints comes back."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
from argparse import Namespace
from collections.abc import Sequence

from sdcore.engine.ssh import check_target
from sdcore.engine.wire import EngineError
from sdcore.library.config import load
from tui.commands.console import CommandError, complain, say


def run(options: Namespace, arguments: Sequence[str]) -> int:
    """Run `sdtui` with these `arguments`, without those that name the machine, on the machine that they name; returns
    its exit status, or ssh's own 255."""
    settings, _ = load()
    remote = options.remote_command or settings.remote_command
    ssh = shlex.split(settings.ssh)
    if shutil.which(ssh[0]) is None:
        raise CommandError(f"The program {ssh[0]} is not there: install OpenSSH's client.")
    try:
        target = check_target(options.host)
    except EngineError as fault:
        raise CommandError(str(fault)) from fault
    command = f"{remote} {shlex.join(_without_host(arguments))}"
    done = subprocess.run(
        [*ssh, "-T", target, command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    for told, text in ((say, done.stdout), (complain, done.stderr)):
        if text:
            told(text.removesuffix("\n"))
    return done.returncode


def _without_host(arguments: Sequence[str]) -> list[str]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--host", "--remote-command"):
        parser.add_argument(flag)
    return parser.parse_known_args(arguments)[1]
