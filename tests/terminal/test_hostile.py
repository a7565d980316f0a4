"""Everything hostile in every place of the app, in a real terminal: nothing of it is obeyed, and the app stays."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hostile import line, marks, obeyed, strange, texts
from tests.hostile_home import build
from tests.terminal.terminal import Terminal

ENTER, ESCAPE, TAB, UP, DOWN, LEFT, RIGHT, END, DELETE = (
    "\r", "\x1b[27u", "\t", "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[C", "\x1b[F", "\x1b[3~",
)  # fmt: skip
# Escape as the newer protocol has it: a bare one is told from the beginning of a sequence by waiting.
F1, F2, F3, F5, F6, F8 = (
    "\x1bOP", "\x1bOQ", "\x1bOR", "\x1b[15~", "\x1b[17~", "\x1b[19~",
)  # fmt: skip
CTRL = {letter: chr(ord(letter) & 31) for letter in "cegnopqrstu"}
LEAVE = ENTER
SECRET = "a-secret-that-looks-like-nothing-known"

PLACES: dict[str, tuple[str | tuple[str, str], ...]] = {
    "studio": (F3, F3, TAB, TAB, *(DOWN,) * 3, F8, *(DOWN,) * 6, *(DELETE, UP) * 10),
    "recent images": ((F6, "use its"), RIGHT, RIGHT, (ENTER, "bring back"), ESCAPE, (F5, "differs"), ESCAPE),
    "two images": (RIGHT, (F5, "differs"), RIGHT, DOWN, "f", "m", ESCAPE),
    "the inspector": (RIGHT, (F2, "decode"), LEFT, LEFT, ("1", "Ztk"), DOWN, DOWN, "e", "2", DOWN, ("3", "latents"),
                      ("4", "noise"), "d", "c", ("5", "Zev"), ("6", "largest"), DOWN, "a"),
    "a fork": (("f", "fork"), DOWN, TAB, TAB, DOWN, ESCAPE, ("w", "Zwr"), ("l", "Zfk"), DOWN, ESCAPE, (F1, "help"),
               ESCAPE, ESCAPE, F6),
    "commands": ((CTRL["p"], "commands"), "mo", ESCAPE, (F1, "help"), DOWN, ESCAPE),
    "history": ((CTRL["r"], "prompt history"), DOWN, DOWN, "z", ESCAPE),
    "add-ons": (("\x1bl", "Zlm"), *(DOWN,) * 4, END, ("zlo", "Zlo"), ESCAPE),
    "models": (("\x1bm", "Zmo"), *(DOWN,) * 4, ("hb", "Zhb"), CTRL["o"], "/tmp", ESCAPE, ESCAPE),
    "styles": (("\x1bt", "styles"), DOWN, " ", DOWN, " ", CTRL["e"], ESCAPE, ESCAPE),
    "presets": (("\x1bp", "presets"), DOWN, CTRL["e"], ESCAPE, ESCAPE),
    "wildcards": (("\x1bw", "wildcards"), DOWN, CTRL["e"], ESCAPE, CTRL["r"], ESCAPE, ESCAPE),
    "suggestions": (ESCAPE, "<lora:", DOWN, DOWN, ESCAPE),
    "generating": ((ENTER, "Zef"), (ENTER, "Zex"), (ENTER, "Zei")),
    "the library": (("\x1bi", "images"), *(DOWN,) * 3, RIGHT, "i", "i", (ENTER, "closer"), RIGHT, "i", DOWN, ESCAPE),
    "deeds": ("g", " ", " ", "s", "s", ("r", "bring back"), ESCAPE, "y", ESCAPE, "e", ESCAPE, "d", "u", "a",
              ESCAPE),
    "a search": ("/", ("star", "★"), ENTER, "i", "i", ("t", "tags"), "new, tag", ESCAPE, ("b", "Zse"), DOWN, ENTER,
                 CTRL["o"], ESCAPE, ESCAPE, ESCAPE),
    "the queue": (("\x1bq", "Zej"), *(DOWN,) * 5, " ", "r", "d", ESCAPE),
    "a sweep": (("\x1bx", "Varies"), TAB, DOWN, ENTER, ESCAPE, ESCAPE),
    "the settings": (("\x1bs", "Look"), *(DOWN,) * 4, ("ssh", "Zcs"), ENTER, ESCAPE, ESCAPE, ESCAPE),
    "variations": ("\x1bv", RIGHT, ESCAPE, ("\x1bk", "nord"), DOWN, ESCAPE),
    "pasted": tuple((f"\x1b[200~{line('pa', first)}\x1b[201~", "Zpa") for first in (0, 6, 13)),
}  # fmt: skip
"""The screens, and the keys that lead there, around and back to the studio; a key with a word is waited for."""

ALWAYS_SEEN = frozenset({"im", "na", "mo", "lo", "dr", "hi", "st", "pr", "wi", "se", "ta", "ek", "ef", "tk",
                         "tn", "ev", "wr", "ca", "fk", "hb", "cs", "pa"})  # fmt: skip
"""Sources that must have been told of, or the walk has not been where they are shown."""


@contextlib.contextmanager
def hostile_home(home: Path) -> Iterator[None]:
    """A hostile home, and an engine that is."""
    home.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDTUI_HOME", str(home))
        build(home)
        engine = subprocess.Popen([sys.executable, "-m", "tests.hostile_host"], stdout=subprocess.PIPE)
    assert engine.stdout is not None
    assert engine.stdout.readline()
    try:
        yield
    finally:
        engine.terminate()
        engine.wait()


def rest(terminal: Terminal, seconds: float = 0.08) -> None:
    """Read what comes within a moment, and on until the program says nothing more. A loaded machine needs longer than
    that: then the next key is pressed before, which the app takes in its order."""
    while terminal.read(seconds):
        seconds = min(seconds, 0.02)


def press(terminal: Terminal, key: str | tuple[str, str]) -> None:
    """Send a key, and read what comes of it: the word that it is to bring, or whatever there is."""
    keys, word = key if isinstance(key, tuple) else (key, "")
    before = len(terminal.output)
    terminal.type(keys)
    terminal.wait_until(lambda: word.encode() in terminal.output[before:], 30.0)
    rest(terminal)


def readable(output: bytearray) -> str:
    return re.sub(r"\x1b\[[0-9;]*[mH]", " ", output.decode("utf-8", "replace"))


def all_logs(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*.log"))


def walk(home: Path, columns: int, rows: int) -> None:
    environment = {"SDTUI_HOME": str(home), "HF_TOKEN": SECRET}
    with Terminal(
        "--color", "256", columns=columns, rows=rows, emulate=False, environment=environment
    ) as terminal:
        terminal.wait_until(lambda: marks(terminal.output) >= {"dr"})
        for place, keys in PLACES.items():
            for key in keys:
                try:
                    press(terminal, key)
                except AssertionError as fault:
                    raise AssertionError(f"{place}, {key!r}: {readable(terminal.output[-6000:])}") from fault
        terminal.type(CTRL["q"])
        rest(terminal)
        terminal.type(LEAVE)
        assert terminal.exit_status() == 0
    seen = terminal.output + all_logs(home)
    assert strange(terminal.output) == []
    assert marks(terminal.output) >= ALWAYS_SEEN
    assert obeyed(seen) == []
    assert not any(word in seen for word in (b"Traceback", b"fell over", SECRET.encode()))


def test_a_walk_through_the_app(tmp_path: Path) -> None:
    """In both sizes at once, for most of the time is spent waiting."""
    sizes = {tmp_path / "wide": (120, 40), tmp_path / "small": (80, 24)}
    with contextlib.ExitStack() as homes, ThreadPoolExecutor(len(sizes)) as threads:
        for home in sizes:
            homes.enter_context(hostile_home(home))
        for walked in [threads.submit(walk, home, *size) for home, size in sizes.items()]:
            walked.result()


CRASH = """
import sys
from textual.app import App
from tui import cli
from tui.app import SdtuiApp

def fall(*_):
    token = {secret!r}
    raise ValueError({text!r} + token)

{where}
sys.exit(cli.main([]))
"""

FAULTS = {
    "in the app": "SdtuiApp.action_commands = fall",
    "in a worker": "SdtuiApp._choose_command = lambda self: fall()",
    "in a thread": "import tui.screens.lists.choices as c; c.command_choices = fall",
    "while drawing": "from tui.widgets.head import HeadLine; HeadLine.render = fall; HeadLine.render_line = fall",
    "before the app": "import tui.drafts; tui.drafts.load = fall",
    "behind the app": "import tui.drafts; tui.drafts.save = fall",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_our_own(fault: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    program = CRASH.format(secret=f"local-{SECRET}", text=texts("cr")[0], where=FAULTS[fault])
    environment = {"SDTUI_HOME": str(home), "HF_TOKEN": SECRET}
    command = (sys.executable, "-c", program)
    with hostile_home(home), Terminal(command=command, emulate=False, environment=environment) as terminal:
        for key in (CTRL["p"], CTRL["q"], LEAVE):
            with contextlib.suppress(AssertionError, OSError):  # it may have ended by now
                terminal.wait_until(lambda: b"queued" in terminal.output)
                rest(terminal, 0.3)
                terminal.type(key)
        assert terminal.exit_status() == 1
    said = terminal.output
    log = all_logs(home)
    assert [one for one in strange(said) if "\x07" not in one] == []  # a bell is rung
    assert obeyed(said + log) == []
    assert "cr" in marks(said)
    assert b"Traceback" not in said
    assert SECRET.encode() not in said + log
    assert b"in fall" in log
