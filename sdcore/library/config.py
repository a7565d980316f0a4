"""The settings in `config.toml`: read with care, written back without touching what is not ours."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from sdcore.atomic import write_atomically
from sdcore.library import paths
from sdcore.spec.sanitise import sanitise

COLORS: Final = ("auto", "truecolor", "256", "16")
COMPILE_MODES: Final = ("off", "graphs", "compile")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person can set for good. The command line's options win over these."""

    model: str = "tiny"
    model_folders: tuple[str, ...] = ()
    """Where to look for models besides the usual places."""
    offline: bool = False
    """Whether nothing may be downloaded."""
    outputs: str = ""
    """The folder of the images; empty for the usual one."""
    color: str = "auto"
    mouse: bool = True
    preview_fps: float = 10.0
    keep_traces: bool = False
    """Whether every run is written beside its image, to be inspected and forked later."""
    compile: str = "off"
    """How networks are made faster: "off", "graphs" (recorded, on CUDA), "compile" (compiled, then recorded)."""
    trace_memory_mib: int = 1024
    """How much memory the runs may take that can be inspected without that."""

    def outputs_dir(self) -> Path:
        """The folder of the images, absolute."""
        return Path(self.outputs).expanduser().absolute() if self.outputs else paths.outputs_dir()


class SettingsError(Exception):
    """The settings could not be written; the message is one sentence that says what to do."""


def _is_folder(value: str) -> bool:
    try:
        return "\0" not in str(Path(value).expanduser())
    except RuntimeError:  # the home of a user whom nobody knows
        return False


def _is_named_folder(value: str) -> bool:
    return bool(value.strip()) and _is_folder(value)


def _values(settings: Settings) -> dict[str, Any]:
    """The settings as TOML has them: lists are lists."""
    values = msgspec.structs.asdict(settings)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


_CHECKS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "model": (lambda value: bool(value.strip()), "the name or folder of a model"),
    "offline": (lambda value: True, "true or false"),
    "model_folders": (lambda value: all(map(_is_named_folder, value)), "a list of folders"),
    "outputs": (_is_folder, "a folder"),
    "color": (lambda value: value in COLORS, f"one of {', '.join(COLORS)}"),
    "mouse": (lambda value: True, "true or false"),
    "preview_fps": (lambda value: 0 <= value <= 30, "a number from 0 (no preview) to 30"),
    "compile": (lambda value: value in COMPILE_MODES, f"one of {', '.join(COMPILE_MODES)}"),
    "keep_traces": (lambda value: True, "true or false"),
    "trace_memory_mib": (lambda value: 0 <= value <= 1 << 20, "a whole number of MiB from 0 to 1048576"),
}
_DEFAULTS: Final[dict[str, Any]] = _values(Settings())
_TYPES: Final = {field.name: field.type for field in msgspec.structs.fields(Settings)}


def config_file() -> Path:
    """Where the settings are kept."""
    return paths.config_dir() / "config.toml"


def load(path: Path | None = None) -> tuple[Settings, list[str]]:
    """The settings, and a sentence for each thing in the file that could not be used. Never fails."""
    path = path or config_file()
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Settings(), []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        reason = sanitise(str(fault), newlines=False)
        return Settings(), [f"{path} could not be read, so the defaults are used: {reason}."]
    good: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in found.items():
        if name not in _CHECKS:
            problems.append(
                f"{path} sets {sanitise(name, newlines=False)!r}, which means nothing here; it is kept."
            )
            continue
        passes, wanted = _CHECKS[name]
        try:
            value = msgspec.convert(value, _TYPES[name])
        except msgspec.ValidationError:
            passes = _never
        if passes(value):
            good[name] = value
        else:
            problems.append(f"{path}: {name} must be {wanted}; the default is used.")
    return Settings(**good), problems


def save(settings: Settings, path: Path | None = None) -> None:
    """Write the settings that differ from what the file says; the rest of it stays, comments and all.

    Raises `SettingsError`.
    """
    path = path or config_file()
    wanted = _values(settings)
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        before = tomllib.loads(text)
        changes = {
            name: value for name, value in wanted.items() if before.get(name, _DEFAULTS[name]) != value
        }
        for name, value in changes.items():
            text = _set(text, name, value)
        if not _is_toml(text) or tomllib.loads(text) != {**before, **changes}:
            raise SettingsError(f"{path} is written in a way that cannot be changed safely; edit it by hand.")
        write_atomically(path, text.encode())
    except UnicodeEncodeError as fault:
        raise SettingsError("A name that is not UTF-8 cannot be kept in the settings; rename it.") from fault
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise SettingsError(f"{path} is not valid TOML, so it was left alone; mend it by hand.") from fault
    except OSError as fault:
        raise SettingsError(f"{path} could not be written: {fault.strerror or fault}.") from fault


def _set(text: str, name: str, value: object) -> str:
    """`text` with the top-level key `name` set to `value`, in the place of its old value or on a new first line."""
    # JSON writes strings, lists, numbers and booleans as TOML does, but for one character.
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
    table = re.search(r"^[ \t]*\[", text, re.M)
    begin = re.compile(rf"^[ \t]*{name}[ \t]*=", re.M).search(text, 0, table.start() if table else len(text))
    if begin is None:
        return f"{line}\n{text}"
    return text[: begin.start()] + line + text[_value_end(text, begin.start()) :]


def _value_end(text: str, begin: int) -> int:
    """Where the value ends that is assigned at `begin`: a list may be many lines long."""
    ends = (match.start() for match in re.compile(r"$", re.M).finditer(text, begin))
    return next((end for end in ends if _is_toml(text[begin:end])), len(text))


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _never(value: object) -> bool:
    return False
