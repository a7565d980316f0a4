"""Keeping tokens and passwords out of logs, screens and errors: whatever libraries put into their messages."""

from __future__ import annotations

import os
import re
from typing import Final

_LOOKS: Final = re.compile(
    r"\b(hf_|api_|sk-|ghp_)[A-Za-z0-9_-]{8,}|(?i:(?<=bearer )\S+)|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_NAMES: Final = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
_LEAST: Final = 8
"""Characters of a secret: what is shorter is as likely a word."""


def without_secrets(text: str) -> str:
    """`text` without what looks like a token or a password, and without the value of every environment variable that
    is called like one."""
    for name, value in os.environ.items():
        if len(value) >= _LEAST and _NAMES.search(name) and not value.startswith("/"):
            text = text.replace(value, "…")
    return _LOOKS.sub("…", text)
