"""What goes to the terminal beside the picture: copied text, titles and notifications, bounded and harmless."""

from __future__ import annotations

import base64
import re

import pytest

from tui.term import clipboard, telling
from tui.term.passthrough import through_tmux

HOSTILE = "a\x1b]0;owned\x07b\x9c\x1b\\c\nd\u202ee"


@pytest.mark.parametrize("make", [telling.title, lambda text: telling.notification(text, tmux=False)])
def test_no_text_ends_the_sequence_it_is_in(make) -> None:  # type: ignore[no-untyped-def]
    sequence = make(HOSTILE)
    assert re.fullmatch("\x1b\\][29];[^\x00-\x1f\x7f-\x9f]*\x1b\\\\", sequence)
    assert len(make("x" * 10_000)) < 200


def test_a_notification_is_no_other_command() -> None:
    assert telling.notification("4;1;50", tmux=False) == "\x1b]9; 4;1;50\x1b\\"
    assert telling.notification("done", tmux=True) == through_tmux("\x1b]9;done\x1b\\")


def test_what_is_copied_arrives_whole() -> None:
    sequence = clipboard.sequence(HOSTILE, tmux=False)
    found = re.fullmatch("\x1b\\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert found is not None
    assert base64.b64decode(found[1]).decode() == HOSTILE


def test_half_a_surrogate_is_copied_as_a_question_mark() -> None:
    assert base64.b64encode(b"a?").decode() in clipboard.sequence("a\ud800", tmux=False)


def test_tmux_is_passed_by_as_well() -> None:
    plain = clipboard.sequence("x", tmux=False)
    assert clipboard.sequence("x", tmux=True) == plain + through_tmux(plain)
    assert "\x1b\x1b]52" in through_tmux(plain)
