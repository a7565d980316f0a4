"""Escape sequences for the terminal behind a multiplexer."""

from __future__ import annotations


def through_tmux(sequence: str) -> str:
    """`sequence` so that tmux hands it on to its terminal, where `allow-passthrough` is on; else it drops it."""
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\"
