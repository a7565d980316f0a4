"""What one setting is: the kinds that there are, each with its check and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

Kind = Literal["switch", "choice", "number", "text", "model", "folder", "folders", "keys"]
"""How a value is asked for."""

Effect = Literal["now", "model", "app", "engine"]
"""From when on a changed value counts: at once, with the next model that is loaded, the next time the app is opened,
or the next time the engine is started."""

EFFECTS: Final[dict[Effect, str]] = {
    "now": "",
    "model": "It counts from the next model that is loaded.",
    "app": "It counts from the next time that sdtui is opened.",
    "engine": "It counts from the next time that the engine starts (sdtui stop ends it).",
}

MISSING: Final = object()
"""In the place of a value: the setting is not in the file."""

GROUPS: Final = ("Look", "Folders", "Making", "Engine", "Keys")
"""The parts of the settings screen, in its order."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a setting besides its type and its default, which its field has.

    `fits` says whether a value of the right type can be used, `wanted` what can ("a number from 0 to 30"), as it
    ends a sentence.
    """

    title: str
    group: str
    kind: Kind
    summary: str
    wanted: str
    fits: Callable[[Any], bool]
    effect: Effect = "now"
    choices: tuple[str, ...] = ()
    whole: bool = False
    unit: str = ""


def switch(title: str, group: str, summary: str, *, effect: Effect = "now") -> Setting:
    """True or false."""
    return Setting(title=title, group=group, kind="switch", summary=summary, wanted="true or false",
                   fits=lambda value: True, effect=effect, choices=("on", "off"))  # fmt: skip


def choice(
    title: str, group: str, choices: tuple[str, ...], summary: str, *, effect: Effect = "now"
) -> Setting:
    """One of a few words."""
    return Setting(title=title, group=group, kind="choice", summary=summary, wanted=f"one of {', '.join(choices)}",
                   fits=lambda value: value in choices, effect=effect, choices=choices)  # fmt: skip


def number(title: str, group: str, least: float, most: float, summary: str, *, unit: str = "", zero: str = "",
           whole: bool = False, effect: Effect = "now") -> Setting:  # fmt: skip
    """A number from `least` to `most`, of `unit`; `zero` says what 0 means."""
    kind = f"a {'whole ' if whole else ''}number{f' of {unit}' if unit else ''}"
    begin = f"{least:g} ({zero})" if zero else f"{least:g}"
    end = int(most) if most == int(most) else most
    return Setting(title=title, group=group, kind="number", summary=summary, wanted=f"{kind} from {begin} to {end}",
                   fits=lambda value: least <= value <= most, effect=effect, whole=whole, unit=unit)  # fmt: skip


def text(title: str, group: str, summary: str, *, wanted: str, kind: Kind = "text",
         effect: Effect = "now") -> Setting:  # fmt: skip
    """Words, and not none."""
    return Setting(title=title, group=group, kind=kind, summary=summary, wanted=wanted,
                   fits=lambda value: bool(value.strip()) and "\0" not in value, effect=effect)  # fmt: skip


def folder(title: str, group: str, summary: str, *, effect: Effect = "now") -> Setting:
    """A folder; empty where there is a usual one."""
    return Setting(title=title, group=group, kind="folder", summary=summary, wanted="a folder", fits=_is_folder,
                   effect=effect)  # fmt: skip


def folders(title: str, group: str, summary: str, *, effect: Effect = "now") -> Setting:
    """Any number of folders."""
    return Setting(title=title, group=group, kind="folders", summary=summary, wanted="a list of folders",
                   fits=lambda value: all(one.strip() and _is_folder(one) for one in value), effect=effect)  # fmt: skip


def key_table(title: str, group: str, summary: str) -> Setting:
    """Actions by name, each with its key or a list of keys; whoever knows the actions looks at them one by one."""
    return Setting(title=title, group=group, kind="keys", summary=summary,
                   wanted='a table of actions, such as generate = "f5"', fits=lambda value: isinstance(value, Mapping),
                   )  # fmt: skip


def _is_folder(value: str) -> bool:
    try:
        return "\0" not in str(Path(value).expanduser())
    except RuntimeError:  # the home of a user whom nobody knows
        return False
