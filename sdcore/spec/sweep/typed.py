"""What was typed before anything was drawn."""

from __future__ import annotations

import msgspec


class Template(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The prompts of a recipe as they were typed, with the choices that they hold."""

    prompt: str = ""
    negative_prompt: str = ""
