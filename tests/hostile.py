"""Texts that want to be more than texts, and how to tell that one got through: two tables that feed every source.

A payload carries a mark that names its source and a number. What reaches a terminal may hold the mark; what stands
right before it in the payload, an introducer of an escape sequence or a control character, it may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

ESCAPES: Final = (
    "\x1b]0;{}\x07",  # the window's title
    "\x1b]2;{}\x1b\\",
    "\x1b]52;c;{}\x07",  # the clipboard
    "\x1b]8;;http://{}\x1b\\x\x1b]8;;\x1b\\",  # a link
    "\x1b[2J{}",
    "\x1b[?1049l{}",  # back to the screen before the app
    "\x1b[?1003h{}",
    "\x1bP$q{}\x1b\\",  # DCS
    "\x1bPq#0;{}\x1b\\",  # a Sixel
    "\x1b_Ga=T;{}\x1b\\",  # a Kitty picture
    "\x1b]1337;File=:{}\x07",  # an iTerm2 picture
    "\x1bPtmux;{}\x1b\\",
    "\x1b[c{}",  # questions that make the terminal type
    "\x1b[6n{}",
    "\x1b[201~{}",  # the end of a paste
    "\x1bc{}",
    "\x9b2J{}",  # the same introducers as one character of C1
    "\x9d0;{}\x9c",
    "\x90q{}\x9c",
    "\x07{}",
    "\r{}",
    "\b\b\b{}",
    "\x0e{}",
    "\x7f{}",
    "\u202e{}\u2066",  # the text that follows runs the other way
    "\u2028{}",
)
"""What a terminal would obey. `{}` is where the mark goes."""

MARKUP: Final = (
    "[/foo]", "[bold", "[@click=app.quit]x[/]", "[red]", "$accent", "{0}", "%s", "%(x)d", "\\[", ":smile:",
    "[link=file:///]x[/link]", "[[[", "]]", "[/]", "[on $nothing 50%]", "{prompt!r}", "${HOME}", "[=", "<lora:",
    "__none__", "{a|", "\\",
)  # fmt: skip
"""What a program might obey: markup of rich and of Textual, formats, variables, our own grammar."""

_MARK: Final = r"Z[a-z]{2}[0-9]{2}"
_RAW: Final = (b"\x9b2J", b"\x9d0;")
"""C1 as a byte of its own, as a name that is not UTF-8 may hold it."""
_INTRODUCERS: Final = (*(escape.partition("{}")[0].encode() for escape in ESCAPES), *_RAW)
_OBEYED: Final = re.compile(b"(?:" + b"|".join(map(re.escape, _INTRODUCERS)) + b")" + _MARK.encode())
_ANY_MARK: Final = re.compile(_MARK.encode())

_OURS: Final = re.compile(
    rb"\x1b\[[0-9;:]*m"  # colours
    rb"|\x1b\[[0-9;]*[HC]"  # the cursor
    rb"|\x1b\[\?(?:7|12|25|1000|1003|1004|1006|1015|1049|2004|2026|2048)[hl]"
    rb"|\x1b\[\?(?:2026|2048)\$p"
    rb"|\x1b\](?:0|2);(?:[0-9]+/[0-9]+ )?sdtui\x1b\\|\x1b\[2[23];2t"
    rb"|\x1b\[(?:>4;1m|>0?q|=\d+;\d+u|>\d+u|<u|\?u|\?6n|6n|14t|16t|18t|c|>c|2J|\d* q)"
    rb"|\x1b_Gi=\d+,[^\x1b]*\x1b\\|\x1bP\+q[0-9A-Fa-f;]*\x1b\\|\x1bP\$qm\x1b\\|\x1b\]1[01];\?(?:\x07|\x1b\\)"
    rb"|\x1b\]22;(?:default|pointer|text)\x07"  # the pointer's shape
    rb"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"
)
"""All that the app itself says to a terminal."""

_UNTOLD: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def texts(code: str) -> list[str]:
    """A text for each payload; `code`, two small letters, names the source. Each begins with a payload and goes on with
    others, so that one that is cut off has another at its end."""
    return [" ".join(_pairs(code, first)) for first in range(len(ESCAPES))]


def line(code: str, first: int = 0) -> str:
    """A few payloads, from the `first` on, short enough for most places."""
    return " ".join(list(_pairs(code, first))[:3])


def names(code: str) -> list[str]:
    """File names: none with a slash, the first two not UTF-8."""
    plain = [
        f"{one} {mark}".replace("/", "∕")[:90]
        for one, mark in zip(_escapes(code, 0), _around(MARKUP, 0), strict=True)
    ]
    raw = [f"\udc9b2J{code_mark(code, 90)}", f"\udcff\udc9d0;{code_mark(code, 91)}\udc9c [∕foo]"]
    return raw + plain


def code_mark(code: str, number: int) -> str:
    """The mark of a payload."""
    return f"Z{code}{number:02d}"


def obeyed(data: bytes | bytearray) -> list[bytes]:
    """The payloads in what a terminal, a file or a pipe was given that are still more than text."""
    return _OBEYED.findall(data)


def marks(data: bytes | bytearray) -> set[str]:
    """The codes of the sources that were told of."""
    return {found.decode()[1:3] for found in _ANY_MARK.findall(data)}


def strange(data: bytes | bytearray) -> list[str]:
    """What in the output of the app is neither text nor anything that the app itself says to a terminal."""
    rest = _OURS.sub(b"", data).decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return [rest[max(0, found.start() - 20) : found.end() + 30] for found in _UNTOLD.finditer(rest)]


def untold(text: str) -> list[str]:
    """The same of the output of a command, which says nothing to a terminal but its text."""
    return [text[max(0, found.start() - 20) : found.end() + 30] for found in _UNTOLD.finditer(text)]


def _escapes(code: str, first: int) -> Iterator[str]:
    for place in range(first, first + len(ESCAPES)):
        number = place % len(ESCAPES)
        yield ESCAPES[number].format(code_mark(code, number))


def _around(items: tuple[str, ...], first: int) -> Iterator[str]:
    for place in range(first, first + len(ESCAPES)):
        yield items[place % len(items)]


def _pairs(code: str, first: int) -> Iterator[str]:
    return map(" ".join, zip(_escapes(code, first), _around(MARKUP, first), strict=True))
