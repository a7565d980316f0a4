"""What a key press types."""

from __future__ import annotations

from textual import events


def typed(event: events.Key) -> str:
    """The character that a key types, empty where it types none.

    Most terminals tell Alt by an escape before the letter, and Textual hands that letter on beside the key "alt+m": it
    is a command, not text.
    """
    return event.character if event.is_printable and event.character and not is_alt(event) else ""


def is_alt(event: events.Key) -> bool:
    """Whether Alt was held."""
    return event.key.startswith("alt+")
