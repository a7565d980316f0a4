"""One question to the terminal, asked before anything heavy is imported and never waited for by the app.

The question is a batch: the name (XTVERSION), Kitty graphics, 24-bit colour (XTGETTCAP, and whether a colour that
was set reads back), synchronized output (DECRQM), the size of a cell in pixels, and last what every terminal answers
(DA1). It is written first and the imports happen meanwhile; what has been answered by then decides the first paint,
and what comes later is taken up later. So a line of any slowness is survived, and a terminal that never answers
costs nothing.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from tui.term.capabilities import Capabilities, Multiplexer, is_last, multiplexer, understand
from tui.term.passthrough import through_tmux
from tui.term.replies import Replies

PATIENCE: Final = 1.5
"""Seconds that a command, which has nothing else to do, waits for the answers; also how long the app, when it is
left, waits for those that are still under way."""

_PATIENCE_BEHIND: Final = 0.5
"""Seconds that are waited for the terminal behind tmux once tmux has answered."""
_MOST: Final = 64
"""Answers; more are not listened to."""

_UNASKED: Final = frozenset({"dumb", "linux", "ansi", "vt52", "vt100", "vt102", "vt220", "cygwin"})
"""Terminals that print what they do not understand."""

_VERSION: Final = "\x1b[>q"
_RGB: Final = "\x1bP+q524742\x1b\\\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[m"
_GRAPHICS: Final = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_SYNCHRONIZED: Final = "\x1b[?2026$p"
_CELL: Final = "\x1b[16t"
_LAST: Final = "\x1b[c"

# GNU screen hands strings on to a terminal that may be anything; Apple's prints the letter of a mode report.
_STRINGS: Final[dict[Multiplexer, str]] = {"": _GRAPHICS + _RGB, "tmux": "", "screen": ""}
_WIPE: Final = "\r\x1b[K"


def question(environ: Mapping[str, str]) -> str:
    """What to write to the terminal that `environ` describes; "" where it had better not be asked."""
    term = environ.get("TERM", "").lower()
    if term in _UNASKED or not term:
        return ""
    between = multiplexer(environ)
    modes = "" if environ.get("TERM_PROGRAM") == "Apple_Terminal" else _SYNCHRONIZED
    plain = _VERSION + _STRINGS[between] + modes + _CELL + _LAST
    if between != "tmux":
        return plain
    # tmux drops this where it may not pass it on, and hands back the answers of the terminal behind it
    return plain + through_tmux(_VERSION + _GRAPHICS + _CELL + _LAST)


class Probe:
    """The question and what has been answered so far. `on_answer` is called, on the reading thread, once the answers
    are complete; `restore` gives the terminal its modes back."""

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._environ = dict(os.environ if environ is None else environ)
        self._clock = clock
        self._asked_at: float | None = None
        self._answers: list[str] = []
        self._ends = 0
        self._wanted = 2 if multiplexer(self._environ) == "tmux" else 1
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.replies = Replies(self.hear, clock)
        self.typed = ""
        """Keys that came before the app was there to take them."""
        self.attributes: list[Any] | None = None
        """The terminal's modes as they were before."""
        self.on_answer: Callable[[Capabilities], None] | None = None

    def ask(self) -> bool:
        """Put the question, keys unechoed from here on; whether it could be put."""
        wanted = question(self._environ)
        try:
            if not wanted or os.tcgetpgrp(self._read_fd) != os.getpgrp():
                return False  # from the background, touching the terminal would stop the process
            self.attributes = termios.tcgetattr(self._read_fd)
            tty.setcbreak(self._read_fd, termios.TCSANOW)
            os.write(self._write_fd, wanted.encode())
        except (OSError, termios.error):
            self.restore()
            return False
        self._asked_at = self._clock()
        self.replies.expected = True
        return True

    @property
    def complete(self) -> bool:
        """Whether every answer is here, from the terminal behind a multiplexer too."""
        return self._ends >= self._wanted

    @property
    def pending(self) -> float:
        """Seconds for which answers may still come that nobody should be left alone with; 0 if there are none."""
        if self._asked_at is None or self.complete:
            return 0.0
        return max(0.0, self._asked_at + PATIENCE - self._clock())

    @property
    def heard(self) -> bool:
        """Whether the terminal, or the multiplexer, has answered."""
        return self._ends > 0

    def hear(self, reply: str) -> None:
        """Take an answer. After the last one, and of too many, the rest is dropped."""
        if self._asked_at is None or self.complete or len(self._answers) >= _MOST:
            return
        self._answers.append(reply)
        self._ends += is_last(reply)
        self.replies.expected = not self.complete
        if is_last(reply) and self.on_answer is not None:
            self.on_answer(self.capabilities())

    def capabilities(self) -> Capabilities:
        """What is known by now."""
        return understand(self._answers, self._environ)

    def read(self, patience: float = 0.0) -> Capabilities:
        """Read the answers for up to `patience` seconds, or until they are complete."""
        deadline = self._clock() + patience
        while self._asked_at is not None and not self.complete:
            if self.heard:
                # only the terminal behind tmux is missing, which may not be let through
                deadline = min(deadline, self._clock() + _PATIENCE_BEHIND)
            left = max(0.0, deadline - self._clock())
            ready, _, _ = select.select([self._read_fd], [], [], left)
            if ready and (data := _read(self._read_fd)):
                self.typed += self.replies.feed(self._decode(data))
            elif left <= 0 or ready:
                break
        return self.capabilities()

    def restore(self) -> None:
        """Give the terminal its modes back."""
        if self.attributes is not None:
            with suppress(termios.error):  # of a terminal that has gone
                termios.tcsetattr(self._read_fd, termios.TCSANOW, self.attributes)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError:
        return b""


def _is_terminal(stream: TextIO) -> bool:
    return not stream.closed and stream.isatty()


@contextmanager
def asked(environ: Mapping[str, str] | None = None) -> Iterator[Probe]:
    """A probe of the terminal that we run in, asked if there is one; its modes are restored at the end."""
    source, target = sys.__stdin__, sys.__stdout__
    if source is not None and target is not None and _is_terminal(source) and _is_terminal(target):
        probe = Probe(source.fileno(), target.fileno(), environ)
        probe.ask()
    else:
        probe = Probe(-1, -1, environ)
    try:
        yield probe
    finally:
        probe.restore()


def examine(environ: Mapping[str, str] | None = None, patience: float = PATIENCE) -> Capabilities:
    """Ask the terminal and wait for the answers, `patience` seconds at the most; nothing of them is left over."""
    with asked(environ) as probe:
        found = probe.read(patience)
        if probe.attributes is not None:
            with suppress(OSError):
                os.write(1, _WIPE.encode())  # a terminal that knows no strings has printed ours
    return found
