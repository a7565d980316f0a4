"""The terminal's answers told from what a person types, however late they come and wherever they are cut.

A terminal writes its answers where keys are read. On a slow line they arrive in pieces, after the app has begun to
read keys, and an answer that nobody expects becomes letters in the prompt. So all input passes `Replies`. An answer
is known by how it begins; what a terminal sends for a key never begins so, but for the first two characters.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

LONGEST: Final = 4096
"""Characters after which an answer that does not end is no answer; what follows up to its end is dropped."""

_ESC: Final = "\x1b"
_END: Final = "\x1b\\"

# Strings: DCS of XTGETTCAP, DECRQSS and XTVERSION, APC of the graphics protocol, OSC of clipboard and colours.
_STRING: Final = re.compile(r"\x1b(?:P[01][+$]r|P>\||_G|\](?:4|10|11|12|52|99);)")
_MAYBE_STRING: Final = re.compile(r"\x1b(?:P(?:[01][+$]?|>)?|_|\](?:1[012]?|4|52?|99?)?)?\Z")

# Control sequences: DA1, DA2, mode reports, and sizes in pixels. Textual wants the mode reports too.
_CONTROL: Final = re.compile(
    r"\x1b\[(?:[?>=][0-9;]{0,64}c|[46];[0-9]{1,6};[0-9]{1,6}t|\?[0-9]{1,6};[0-9]\$y)"
)
_MAYBE_CONTROL: Final = re.compile(
    r"\x1b(?:\[(?:[?>=][0-9;]{0,64}\$?|[46](?:;[0-9]{0,6}(?:;[0-9]{0,6})?)?)?)?\Z"
)
_FOR_TEXTUAL: Final = "y"

_KEY_PATIENCE: Final = 0.05
"""Seconds after which what might be a key or an answer is taken for a key."""
_PATIENCE: Final = 1.0
"""Seconds of silence after which an answer that has begun is given up."""


class Replies:
    """Splits input into keys and answers. Feed it what was read; call `tick` when nothing has come for a while."""

    def __init__(self, take: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`take` is given every whole answer, escape sequence and all, 4096 characters at the most."""
        self._take = take
        self._clock = clock
        self._held = ""
        self._too_long = False
        self._heard_at = clock()
        self.expected = False
        """Whether answers are under way: then even a single escape may be the beginning of one."""

    @property
    def holds(self) -> bool:
        """Whether something is held back that may become an answer."""
        return bool(self._held) or self._too_long

    def feed(self, text: str) -> str:
        """What of `text`, and of what was held back before, are keys."""
        self._heard_at = self._clock()
        text, self._held = self._held + text, ""
        keys: list[str] = []
        place = 0
        while place < len(text):
            if self._too_long:
                place = self._skip(text, place)
                continue
            escape = text.find(_ESC, place)
            if escape < 0:
                keys.append(text[place:])
                break
            keys.append(text[place:escape])
            if (found := _CONTROL.match(text, escape)) is not None:
                self._take(found[0])
                if found[0].endswith(_FOR_TEXTUAL):
                    keys.append(found[0])
                place = found.end()
            elif _STRING.match(text, escape) is not None:
                place = self._string(text, escape)
            elif _MAYBE_STRING.match(text, escape) or _MAYBE_CONTROL.match(text, escape):
                if text[escape:] == _ESC and not self.expected:
                    keys.append(_ESC)
                else:
                    self._held = text[escape:]
                break
            else:
                keys.append(_ESC)
                place = escape + 1
        return "".join(keys)

    def tick(self) -> str:
        """Keys that were held back for too long to be the beginning of an answer."""
        silence = self._clock() - self._heard_at
        certain = self._too_long or _STRING.match(self._held) or self._held.startswith(("\x1b[?", "\x1b[>"))
        if not self.holds or silence < (_PATIENCE if certain else _KEY_PATIENCE):
            return ""
        held, self._held, self._too_long = self._held, "", False
        return "" if certain else held

    def _string(self, text: str, begin: int) -> int:
        """Take the string that begins at `begin`; where to go on. It ends with ST or BEL, or is cut by an escape."""
        ends = [end for end in (text.find(_ESC, begin + 2), text.find("\x07", begin)) if end >= 0]
        if not ends or (min(ends) == len(text) - 1 and text[-1] == _ESC):
            if len(text) - begin > LONGEST:
                self._too_long = True
                self._held = text[-1] if text.endswith(_ESC) else ""
            else:
                self._held = text[begin:]
            return len(text)
        end = min(ends)
        if end - begin <= LONGEST and (text[end] == "\x07" or text.startswith(_END, end)):
            self._take(text[begin:end] + _END)
        return end + (2 if text.startswith(_END, end) else 1 if text[end] == "\x07" else 0)

    def _skip(self, text: str, place: int) -> int:
        """Drop what is left of an endless answer."""
        end = re.compile("\x1b\\\\?|\x07").search(text, place)
        if end is None:
            return len(text)
        if end[0] == _ESC and end.end() == len(text):
            self._held = _ESC
            return len(text)
        self._too_long = False
        return end.start() if end[0] == _ESC else end.end()
