"""The question to the terminal: the answers of many brands, late, cut up, hostile or missing, and never as keys."""

from __future__ import annotations

import os
import pty
import select
import sys
import textwrap
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.term.capabilities import Capabilities, understand
from tui.term.passthrough import through_tmux
from tui.term.probe import Probe, question
from tui.term.replies import LONGEST, Replies

XTERM = {"TERM": "xterm-256color"}
TMUX = {"TERM": "tmux-256color", "TMUX": "/tmp/x,1,0"}
ST = "\x1b\\"
KITTY = f"\x1bP>|kitty(0.35.2){ST}\x1b_Gi=31;OK{ST}\x1bP1+r524742=382F382F38{ST}\x1b[?2026;2$y\x1b[6;20;9t\x1b[?62;c"
GHOSTTY = (
    f"\x1bP>|ghostty 1.1.3{ST}\x1b_Gi=31;OK{ST}\x1bP1$r0;48:2::1:2:3m{ST}"
    "\x1b[?2026;2$y\x1b[6;34;16t\x1b[?62;22;52c"
)
WEZTERM = f"\x1bP>|WezTerm 20240203-110809-5046fc22{ST}\x1b_Gi=31;OK{ST}\x1b[?2026;2$y\x1b[6;18;8t\x1b[?65;4;6;18;22c"
FOOT = f"\x1bP>|foot(1.16.2){ST}\x1bP1+r524742{ST}\x1b[?2026;2$y\x1b[6;20;10t\x1b[?62;4;22c"
ITERM = f"\x1bP>|iTerm2 3.5.10{ST}\x1b[?2026;2$y\x1b[6;17;7t\x1b[?64;1;2;4;6;17;18;21;22c"
MLTERM = f"\x1bP0+r524742{ST}\x1b[6;16;8t\x1b[?63;1;2;3;4;7c"
OLD_XTERM = (
    f"\x1bP>|XTerm(372){ST}\x1bP0+r{ST}\x1bP1$r0;48;5;16m{ST}"
    "\x1b[?2026;0$y\x1b[6;13;6t\x1b[?64;1;2;6;9;15;18;21;22c"
)
VTE = f"\x1bP1$r0;48:2:1:2:3m{ST}\x1b[6;18;9t\x1b[?65;1;9c"
LINUX = "\x1b[?6c"


def split(text: str) -> list[str]:
    """The answers in `text`."""
    answers: list[str] = []
    assert (
        Replies(answers.append).feed(text).replace("\x1b[?2026;2$y", "").replace("\x1b[?2026;0$y", "") == ""
    )
    return answers


@pytest.mark.parametrize(
    ("answer", "environ", "wanted"),
    [
        (KITTY, XTERM, Capabilities(True, "kitty", "0.35.2", True, kitty=True, synchronized=True, cell=(9, 20))),
        (GHOSTTY, XTERM, Capabilities(True, "ghostty", "1.1.3", True, kitty=True, synchronized=True, cell=(16, 34))),
        (WEZTERM, XTERM, Capabilities(True, "wezterm", "20240203-110809-5046fc22", True, inline=True, sixel=True,
                                      synchronized=True, cell=(8, 18))),
        (FOOT, XTERM, Capabilities(True, "foot", "1.16.2", True, sixel=True, synchronized=True, cell=(10, 20))),
        (ITERM, XTERM, Capabilities(True, "iterm2", "3.5.10", True, inline=True, sixel=True, synchronized=True,
                                    cell=(7, 17))),
        (MLTERM, XTERM, Capabilities(True, truecolor=False, sixel=True, cell=(8, 16))),
        (OLD_XTERM, XTERM, Capabilities(True, "xterm", "372", False, cell=(6, 13))),
        (VTE, XTERM, Capabilities(True, truecolor=True, cell=(9, 18))),
        (LINUX, XTERM, Capabilities(True, truecolor=False)),
        ("", {"TERM": "xterm-kitty"}, Capabilities(False, "kitty", truecolor=True)),
        ("", XTERM, Capabilities()),
    ],
)  # fmt: skip
def test_the_answers_of_many_brands(answer: str, environ: dict[str, str], wanted: Capabilities) -> None:
    assert understand(split(answer), environ) == wanted


def test_behind_tmux_only_what_lives_in_cells_counts() -> None:
    own = f"\x1bP>|tmux 3.4{ST}\x1b[?1;2;4c"
    found = understand(split(own + KITTY), TMUX)
    assert (found.name, found.kitty, found.passthrough, found.sixel, found.truecolor) == (
        "kitty", True, True, True, None,
    )  # fmt: skip
    found = understand(split(own + ITERM), TMUX)
    assert (found.name, found.inline, found.passthrough) == ("iterm2", False, True)
    alone = understand(split(f"\x1bP>|tmux 3.3a{ST}\x1b[?1;2c"), TMUX)
    assert (alone.name, alone.passthrough, alone.sixel) == ("", False, False)
    # over SSH the variable does not come along, but tmux says its name
    assert understand(split(own), {"TERM": "xterm"}).multiplexer == "tmux"


@pytest.mark.parametrize(
    "answer",
    [
        "\x1b[6;99999;99999t\x1b[?62c",
        "\x1b[6;0;0t\x1b[?62c",
        f"\x1bP>|{'k' * 3000}{ST}\x1b[?62c",
        f"\x1bP>|\x07\x1b[31mkitty{ST}\x1b[?62c",
        f"\x1b_Gi=31;ENOTSUPPORTED{ST}\x1b[?62c",
        "\x1b[?" + "4;" * 40 + "c",
    ],
)
def test_what_cannot_be_is_not_believed(answer: str) -> None:
    answers: list[str] = []
    Replies(answers.append).feed(answer)
    found = understand(answers, XTERM)
    assert (found.name, found.cell, found.kitty) == ("", None, False)


def test_the_question_suits_the_terminal() -> None:
    assert question({"TERM": "dumb"}) == question({"TERM": "linux"}) == question({}) == ""
    assert question(XTERM).endswith("\x1b[c")
    assert "\x1b_G" in question(XTERM)
    assert "\x1bP" not in question({"TERM": "screen"})
    assert "$p" not in question({**XTERM, "TERM_PROGRAM": "Apple_Terminal"})
    assert question(TMUX).endswith("\x1b\x1b[c\x1b\\")
    assert through_tmux("\x1b[>q")[:-2] in question(TMUX)
    assert "\x1b_G" not in question(TMUX).split("\x1bPtmux;")[0]


# Answers and keys


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_keys_pass_and_answers_do_not() -> None:
    taken: list[str] = []
    keys = Replies(taken.append).feed(f"a{KITTY}\x1b[A\x1bOPb\x1b[6~\x1b[6;5~\x1b[4;3R\x1bP\x1b_x")
    assert keys == "a\x1b[?2026;2$y\x1b[A\x1bOPb\x1b[6~\x1b[6;5~\x1b[4;3R\x1bP\x1b_x"
    assert len(taken) == 6


@given(st.lists(st.sampled_from([KITTY, FOOT, OLD_XTERM, "x", "\x1b[A", "\r", "é"]), max_size=6), st.data())
def test_it_does_not_matter_where_the_line_cuts(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    whole: list[str] = []
    keys = Replies(whole.append).feed(text)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    cut: list[str] = []
    replies = Replies(cut.append)
    replies.expected = True
    pieces = [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]
    assert "".join(map(replies.feed, pieces)) == keys
    assert cut == whole


def test_a_key_that_begins_like_an_answer_is_not_kept_for_long() -> None:
    clock = Clock()
    replies = Replies(lambda _: None, clock)
    assert replies.feed("\x1bP") == ""
    assert replies.tick() == ""
    clock.now += 0.06
    assert replies.tick() == "\x1bP"
    assert not replies.holds


def test_escape_waits_only_while_answers_are_under_way() -> None:
    replies = Replies(lambda _: None)
    assert replies.feed("\x1b") == "\x1b"
    replies.expected = True
    assert replies.feed("\x1b") == ""
    assert replies.feed("[A") == "\x1b[A"


def test_an_answer_that_stops_is_given_up_and_never_becomes_keys() -> None:
    clock = Clock()
    replies = Replies(lambda _: None, clock)
    assert replies.feed("\x1bP>|kit") == ""
    clock.now += 0.5
    assert replies.tick() == ""
    assert replies.holds
    clock.now += 0.6
    assert replies.tick() == ""
    assert not replies.holds
    assert replies.feed("a") == "a"


def test_an_endless_answer_is_dropped_whole() -> None:
    taken: list[str] = []
    replies = Replies(taken.append)
    for _ in range(10):
        assert replies.feed("\x1bP>|" + "x" * LONGEST if not replies.holds else "y" * LONGEST) == ""
    assert len(replies._held) <= LONGEST + 8
    assert replies.feed("z\x1b") == ""
    assert replies.feed("\\keys") == "keys"
    assert taken == []


def test_an_escape_within_an_answer_ends_it() -> None:
    taken: list[str] = []
    assert Replies(taken.append).feed("\x1bP>|kitty\x1b[A\x1b[201~q") == "\x1b[A\x1b[201~q"
    assert taken == []


def test_only_what_was_asked_is_heard_and_only_so_much() -> None:
    probe = Probe(0, 1, XTERM)
    probe.hear("\x1b[?62;4c")
    assert not probe.capabilities().answered  # nothing was asked


# In a real terminal

ASK = textwrap.dedent("""
    import os, sys, termios, time
    from tui.term.probe import Probe, examine, asked
    before = termios.tcgetattr(0)
    if sys.argv[1] == "wait":
        found = examine(patience=float(sys.argv[2]))
        typed = ""
    else:
        with asked() as probe:
            __import__("select").select([0], [], [], 15)
            time.sleep(0.3)
            found = probe.read()
            typed = probe.typed
    assert termios.tcgetattr(0) == before
    left = bool(__import__("select").select([0], [], [], 0.05)[0])
    print(f"<{found.name}|{found.truecolor}|{found.kitty}|{left}|{typed}>", flush=True)
""")


def ask_in_a_pty(reply: bytes, *arguments: str, environ: dict[str, str] | None = None) -> tuple[str, bytes]:
    """What a child that owns a pty makes of `reply`, given in three pieces once the question is complete; and all that
    it wrote before."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update({**XTERM, **(environ or {})})
        os.execv(sys.executable, [sys.executable, "-c", ASK, *arguments])
    seen = b""
    answered = False
    try:
        while b">" not in seen.partition(b"<")[2] and select.select([master], [], [], 20)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
            if b"\x1b[c" in seen and not answered:
                answered = True
                third = len(reply) // 3 + 1
                for start in range(0, len(reply), third):
                    os.write(master, reply[start : start + third])
    finally:
        os.waitpid(pid, 0)
        os.close(master)
    before, _, after = seen.partition(b"<")
    return after.decode().partition(">")[0], before


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (KITTY, "kitty|True|True|False|"),
        (OLD_XTERM, "xterm|False|False|False|"),
        ("\x1b[?1;2c", "|False|False|False|"),
    ],
)
def test_the_terminal_answers(reply: str, wanted: str) -> None:
    assert ask_in_a_pty(reply.encode(), "wait", "10")[0] == wanted


def test_a_silent_terminal_is_not_waited_for() -> None:
    assert ask_in_a_pty(b"", "wait", "0.1")[0] == "|None|False|False|"


def test_what_is_typed_meanwhile_is_kept_for_the_app() -> None:
    told, _ = ask_in_a_pty(b"ab" + FOOT.encode() + b"c", "later")
    assert told == "foot|True|False|False|ab\x1b[?2026;2$yc"


def test_nothing_is_echoed() -> None:
    _, written = ask_in_a_pty(KITTY.encode(), "wait", "10")
    assert b"^[" not in written
    assert b"kitty" not in written


def test_nothing_is_asked_without_a_terminal() -> None:
    read, write = os.pipe()
    try:
        probe = Probe(read, write, XTERM)
        assert not probe.ask()
        assert not select.select([read], [], [], 0)[0]
        assert probe.read(1.0) == Capabilities()
    finally:
        os.close(read)
        os.close(write)


@pytest.fixture
def heard() -> Callable[[str], tuple[Probe, list[Capabilities]]]:
    """A probe that was asked, with what it told its listener."""

    def hear(reply: str) -> tuple[Probe, list[Capabilities]]:
        master, slave = pty.openpty()
        probe = Probe(slave, slave, TMUX)
        probe._asked_at = 0.0
        told: list[Capabilities] = []
        probe.on_answer = told.append
        probe.replies.feed(reply)
        os.close(master)
        os.close(slave)
        return probe, told

    return hear


def test_the_terminal_behind_tmux_may_answer_later(
    heard: Callable[[str], tuple[Probe, list[Capabilities]]],
) -> None:
    probe, told = heard(f"\x1bP>|tmux 3.4{ST}\x1b[?1;2c")
    assert not probe.complete
    assert [one.kitty for one in told] == [False]
    probe.replies.feed(KITTY)
    assert probe.complete
    assert [one.kitty for one in told] == [False, True]
    probe.replies.feed(GHOSTTY)
    assert probe.capabilities().name == "kitty"
