"""The border between untrusted text and a terminal, a log or a pipe."""

from __future__ import annotations

import re
from typing import Final

REPLACEMENT: Final = "\ufffd"

# C0, DEL, C1, the bidirectional controls, line and paragraph separators, and halves of surrogate pairs:
# what moves a cursor, reorders the text around it, or cannot be encoded.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def sanitise(text: str, *, newlines: bool = True) -> str:
    """`text` fit to be shown: every control character is U+FFFD, a tab is a space.

    With `newlines` a line feed stays (and a carriage return before one goes); without, it is a space, so
    that the result is one line. The result can always be encoded as UTF-8.
    """
    text = text.replace("\r\n", "\n").replace("\t", " ")
    if not newlines:
        text = text.replace("\n", " ")
    return _UNSAFE.sub(REPLACEMENT, text)
