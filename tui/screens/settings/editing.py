"""Asks for the value of a setting, in the way that its kind is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from sdcore.library.config import SETTINGS, fault_of
from sdcore.library.setting import Kind
from tui.folder_settings import FolderList, add_folder
from tui.screens.lists.ask import Ask, FolderSuggester
from tui.screens.lists.chooser import Choice, Chooser

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_ADD: Final = "\0"
"""In the place of a folder: another one is to be named."""


async def ask_for(app: SdtuiApp, name: str, present: Any) -> Any:
    """Another value for the setting called `name`, as TOML has it; None where it is to stay."""
    return await _ASK[SETTINGS[name].kind](app, name, present)


async def _switch(app: SdtuiApp, name: str, present: bool) -> bool:
    return not present


async def _choice(app: SdtuiApp, name: str, present: str) -> str | None:
    if name == "theme":
        await app.preferences.choose_theme()
        return None
    setting = SETTINGS[name]
    choices = [Choice(choice, choice) for choice in setting.choices]
    return await app.push_screen_wait(Chooser(setting.title, choices, present=present))


async def _number(app: SdtuiApp, name: str, present: float) -> float | None:
    setting = SETTINGS[name]
    answer = await app.push_screen_wait(Ask(
        setting.title, f"{setting.summary}\n{setting.wanted.capitalize()}.", f"{present:g}",
        check=lambda text: _wrong(name, _to_number(text, whole=setting.whole)),
    ))  # fmt: skip
    return None if answer is None else _to_number(answer, whole=setting.whole)


def _to_number(text: str, *, whole: bool) -> Any:
    with contextlib.suppress(ValueError):
        return int(text) if whole else float(text.replace(",", "."))
    return text


async def _text(app: SdtuiApp, name: str, present: str) -> str | None:
    setting = SETTINGS[name]
    return await app.push_screen_wait(
        Ask(setting.title, setting.summary, present, check=lambda text: _wrong(name, text))
    )


async def _model(app: SdtuiApp, name: str, present: str) -> str | None:
    from tui.screens.lists.models import Models
    from tui.widgets.model_lines import Device

    view = app.studio.view
    device = Device(view.memory_bytes, view.device.startswith("cuda"))
    return await app.push_screen_wait(Models(present, device, app.stock))


async def _folder(app: SdtuiApp, name: str, present: str) -> str | None:
    setting = SETTINGS[name]
    return await app.push_screen_wait(Ask(
        setting.title, f"{setting.summary}\nDelete in the list takes the usual one again.", present,
        suggester=FolderSuggester(), check=lambda text: _wrong(name, text) or _not_a_folder(text),
    ))  # fmt: skip


async def _folders(app: SdtuiApp, name: str, present: list[str]) -> list[str] | None:
    setting = SETTINGS[name]
    choices = [Choice(_ADD, "Add a folder"), *(Choice(one, one, "Enter takes it out.") for one in present)]
    taken = await app.push_screen_wait(Chooser(setting.title, choices, question=setting.summary))
    if taken != _ADD:
        return None if taken is None else [one for one in present if one != taken]
    await app.push_screen_wait(Ask(
        setting.title, setting.summary, suggester=FolderSuggester(),
        check=lambda text: add_folder(text, cast(FolderList, name), "{} is in the list already."),
    ))  # fmt: skip
    await app.preferences.look()
    return None


def _wrong(name: str, value: object) -> str:
    wrong = fault_of(name, value)
    return f"{SETTINGS[name].title} must be {SETTINGS[name].wanted}." if wrong else ""


def _not_a_folder(text: str) -> str:
    """Why there cannot be a folder at this path, "" where there is or can be one."""
    path = Path(text).expanduser()
    try:
        return f"{text} is a file; name a folder." if path.exists() and not path.is_dir() else ""
    except OSError as fault:
        return f"{text} cannot be used: {fault.strerror}."


_ASK: Final[dict[Kind, Callable[[SdtuiApp, str, Any], Awaitable[Any]]]] = {
    "switch": _switch,
    "choice": _choice,
    "number": _number,
    "text": _text,
    "model": _model,
    "folder": _folder,
    "folders": _folders,
}
