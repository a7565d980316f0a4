"""Where a prompt of more tokens than CLIP reads at once is parted.

Source: `tokenize_line` in `modules/sd_hijack_clip.py` of AUTOMATIC1111's web UI.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

CHUNK: Final = 75
"""Tokens that CLIP reads in one go: 77 positions less the start and the end."""

COMMA_REACH: Final = 20
"""How many tokens before the end of a chunk a comma may stand so that the chunk ends there instead."""

T = TypeVar("T")


def into_chunks(
    pieces: Sequence[Sequence[tuple[int, T]] | None],
    comma: int | None,
    room: int = CHUNK,
    length: Callable[[int], int] = lambda token: 1,
) -> list[list[tuple[int, T]]]:
    """The tokens of all pieces, each with what belongs to it, in chunks of at most `room`; a piece that is None ends
    a chunk where it stands. One empty chunk where there are no tokens.

    A full chunk ends after its last `comma` if that is near, unless a comma comes next. What is of several tokens
    together, by the `length` of its first, is not parted.
    """
    chunks: list[list[tuple[int, T]]] = []
    now: list[tuple[int, T]] = []
    after_comma = 0
    for piece in pieces:
        if piece is None:
            chunks.append(now)
            now, after_comma = [], 0
            continue
        for token in piece:
            if len(now) == room:
                near = token[0] != comma and after_comma and room - after_comma < COMMA_REACH
                cut = after_comma if near else room
                chunks.append(now[:cut])
                now, after_comma = now[cut:], 0
            if len(now) + length(token[0]) > room:
                chunks.append(now)
                now, after_comma = [], 0
            now.append(token)
            if token[0] == comma:
                after_comma = len(now)
    return [*chunks, now] if now or not chunks else chunks
