"""The settings in `config.toml`: one table, from which they are read, checked, written and shown."""

from __future__ import annotations

import contextlib
import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_type_hints

import msgspec

from sdcore.atomic import held, write_atomically
from sdcore.library import paths
from sdcore.library.setting import MISSING, Setting, choice, folder, folders, key_table, number, switch, text
from sdcore.spec.sanitise import sanitise

COLORS: Final = ("auto", "truecolor", "256", "16")
PICTURES: Final = ("auto", "kitty", "iterm", "sixel", "quadrants", "halfblocks")
COMPILE_MODES: Final = ("off", "graphs", "compile")
THEMES: Final = (
    "sdtui", "sdtui-light", "atom-one-dark", "atom-one-light", "catppuccin-frappe", "catppuccin-latte",
    "catppuccin-macchiato", "catppuccin-mocha", "dracula", "flexoki", "gruvbox", "monokai", "nord", "rose-pine",
    "rose-pine-dawn", "rose-pine-moon", "solarized-dark", "solarized-light", "textual-dark", "textual-light",
    "tokyo-night",
)  # fmt: skip
"""Our own first, then Textual's."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person can set for good. The command line's options win over these.

    A field is all there is to a setting: its name, its type, what is known of it, and its default.
    """

    theme: Annotated[str, choice("Theme", "Look", THEMES, "The colours around the image, dark or light.")] = (
        "sdtui"
    )
    color: Annotated[str, choice(
        "Colours of the terminal", "Look", COLORS, "How many the terminal can show; auto finds it out.",
        effect="app",
    )] = "auto"  # fmt: skip
    pictures: Annotated[str, choice(
        "Pictures", "Look", PICTURES, "How they are drawn; auto takes the best that the terminal has.",
    )] = "auto"  # fmt: skip
    bell_seconds: Annotated[float, number(
        "Bell after", "Look", 0, 86400, "When the last of the work is done, took so long, and you look elsewhere, the "
        "terminal rings and notifies you.", unit="seconds", zero="never",
    )] = 30.0  # fmt: skip
    mouse: Annotated[bool, switch(
        "Mouse", "Look", "Clicks and the wheel go to sdtui; off, they select text as in any other program.",
        effect="app",
    )] = True  # fmt: skip
    preview_fps: Annotated[float, number(
        "Previews a second", "Look", 0, 30,
        "How often the image so far is drawn, at most. Fewer are kinder to a slow line.", zero="no preview",
    )] = 10.0  # fmt: skip
    low_bandwidth: Annotated[bool, switch(
        "Slow line", "Look", "Few and coarse previews, for a line where every kilobyte is felt; finished images come "
        "coarse, too, and are refined when the line rests.",
    )] = False  # fmt: skip
    outputs: Annotated[str, folder(
        "Images go to", "Folders", "The folder of the images, with one in it for each day. Empty: the usual one.",
        effect="app",
    )] = ""  # fmt: skip
    model_folders: Annotated[tuple[str, ...], folders(
        "Look for models in", "Folders", "Folders of models, LoRA files and embeddings besides the usual places.",
    )] = ()  # fmt: skip
    library_folders: Annotated[tuple[str, ...], folders(
        "Show images of", "Folders", "Folders of images, of any program, that the library shows besides ours. Nothing "
        "in them is changed.",
    )] = ()  # fmt: skip
    wildcards_folder: Annotated[str, folder(
        "Wildcard files in", "Folders", "The folder of the files that __name__ in a prompt is drawn from. Empty: the "
        "usual one.",
    )] = ""  # fmt: skip
    offline: Annotated[bool, switch(
        "Stay offline", "Folders", "Nothing is downloaded; models are those that are on this machine.",
    )] = False  # fmt: skip
    model: Annotated[str, text(
        "Model of the commands", "Making", "What sdtui generate and its kin use when no --model is given; the "
        "studio keeps the one that it had.", wanted="the name or folder of a model", kind="model",
    )] = "tiny"  # fmt: skip
    keep_traces: Annotated[bool, switch(
        "Keep every run", "Making", "Each run is written beside its image, to be looked into and forked later. "
        "That takes a few MB an image.",
    )] = False  # fmt: skip
    compile: Annotated[str, choice(
        "Faster networks", "Engine", COMPILE_MODES, "On a GPU: graphs records the work of a step and plays it back; "
        "compile also compiles it, which takes minutes once.", effect="model",
    )] = "off"  # fmt: skip
    trace_memory_mib: Annotated[int, number(
        "Memory for runs", "Engine", 0, 1 << 20, "How much the engine keeps of runs that were not written, to be "
        "looked into.", unit="MiB", whole=True, effect="engine",
    )] = 1024  # fmt: skip
    keep_warm_minutes: Annotated[int, number(
        "Keep the model warm", "Engine", 0, 100_000, "How long an engine that lost its terminal waits for the next "
        "one, with the model loaded, once everything is made.", unit="minutes", whole=True, effect="engine",
    )] = 15  # fmt: skip
    ssh: Annotated[str, text(
        "SSH program", "Engine", "How ssh is called by sdtui --host, with options if you like; hosts and keys are "
        "better kept in ssh's own configuration.", wanted="a command", effect="app",
    )] = "ssh"  # fmt: skip
    remote_command: Annotated[str, text(
        "sdtui on the other machine", "Engine", "How sdtui is called there by sdtui --host, where it is not in the "
        "PATH of a plain ssh command: ~/sdtui/.venv/bin/sdtui, for example.", wanted="a command", effect="app",
    )] = "sdtui"  # fmt: skip
    keys: Annotated[dict[str, Any], key_table(
        "Keys", "Keys", "Another key for an action: its name, and the key or a list of keys.",
    )] = msgspec.field(default_factory=dict)  # fmt: skip

    def outputs_dir(self) -> Path:
        """The folder of the images, absolute."""
        return Path(self.outputs).expanduser().absolute() if self.outputs else paths.outputs_dir()

    def wildcards_dir(self) -> Path:
        """The folder of the wildcard files, absolute."""
        named = self.wildcards_folder
        return Path(named).expanduser().absolute() if named else paths.wildcards_dir()


class SettingsError(Exception):
    """The settings could not be written; the message is one sentence that says what to do."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one setting, or with the whole file where `name` is empty."""

    name: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says."""

    settings: Settings
    problems: tuple[Problem, ...] = ()
    source: str = ""
    """The text of the file where it is valid."""
    file: str = ""

    def problem(self, said: str, *way: str) -> Problem:
        """A problem of the setting at `way`, with the number of its line."""
        from sdcore.library import toml_text

        line = toml_text.line_of(self.source, *way)
        return Problem(name=".".join(way), sentence=f"{self.file}{f' line {line}' if line else ''}: {said}")


def _table() -> dict[str, Setting]:
    return {name: get_args(hint)[1] for name, hint in _HINTS.items()}


_HINTS: Final = get_type_hints(Settings, include_extras=True)
SETTINGS: Final[dict[str, Setting]] = _table()
"""What is known of every setting, by its name."""


def values_of(settings: Settings) -> dict[str, Any]:
    """The settings as TOML has them: lists are lists."""
    values = msgspec.structs.asdict(settings)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


DEFAULTS: Final[dict[str, Any]] = values_of(Settings())


def config_file() -> Path:
    """Where the settings are kept."""
    return paths.config_dir() / "config.toml"


def stamp(path: Path | None = None) -> tuple[int, ...]:
    """Another one when the file was changed; empty where there is none."""
    with contextlib.suppress(OSError):
        found = (path or config_file()).stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
    return ()


def load(path: Path | None = None) -> tuple[Settings, list[str]]:
    """The settings, and a sentence for each thing in the file that could not be used. Never fails."""
    found = read(path)
    return found.settings, [str(problem) for problem in found.problems]


def read(path: Path | None = None) -> Found:
    """The settings, and what is wrong in the file. Never fails."""
    try:
        path = path or config_file()
    except OSError as fault:
        sentence = f"There is no folder for the settings ({fault}), so the defaults are used."
        return Found(settings=Settings(), problems=(Problem(name="", sentence=sentence),))
    try:
        source = path.read_bytes().decode()
        said = tomllib.loads(source)
    except FileNotFoundError:
        return Found(settings=Settings(), file=path.name)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as fault:
        reason = sanitise(str(fault) or type(fault).__name__, newlines=False)
        sentence = f"{path} could not be read, so the defaults are used: {reason}."
        return Found(settings=Settings(), problems=(Problem(name="", sentence=sentence),), file=path.name)
    bare = Found(settings=Settings(), source=source, file=path.name)
    good: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in said.items():
        if name not in SETTINGS:
            problems.append(bare.problem(_unknown(name), name))
        elif (wrong := fault_of(name, value)) is not None:
            problems.append(bare.problem(f"{wrong}; the default{_told(name)} is used.", name))
        else:
            good[name] = msgspec.convert(value, _HINTS[name])
    return msgspec.structs.replace(bare, settings=Settings(**good), problems=tuple(problems))


def fault_of(name: str, value: object) -> str | None:
    """Why the setting cannot have this value ("steps must be …"), None where it can."""
    try:
        converted = msgspec.convert(value, _HINTS[name])
    except msgspec.ValidationError:
        converted = MISSING
    setting = SETTINGS[name]
    fits = converted is not MISSING and setting.fits(converted)
    return None if fits else f"{name} must be {setting.wanted}"


def _told(name: str) -> str:
    default = DEFAULTS[name]
    if isinstance(default, bool):
        return f", {str(default).lower()},"
    return f", {default:g}," if isinstance(default, int | float) else f", {default}," if default else ""


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, SETTINGS, 1)
    hint = f"; did you mean {near[0]}? It is kept." if near else "; it is kept."
    return f"{sanitise(name, newlines=False)!r} means nothing here{hint}"


def save(settings: Settings, path: Path | None = None) -> None:
    """Write the settings that differ from what the file says. Raises `SettingsError`."""
    change(values_of(settings), path)


def change(values: Mapping[str, Any], path: Path | None = None) -> None:
    """Set these settings and no others; the rest of the file stays to the letter, comments and all.

    What is there is read again before, held against other writers. A setting that gets its default back is taken
    out of the file; of a table the entries that are given are set, or taken out where they are `MISSING`. Raises
    `SettingsError`, and the file is as it was.
    """
    from sdcore.library import toml_text  # to read the settings it is not needed

    try:
        path = Path(os.path.realpath(path or config_file()))  # a link to the file stays a link
        with held(path.parent):
            source = path.read_bytes().decode() if path.exists() else ""
            before = tomllib.loads(source)
            written = toml_text.changed(source, {
                name: _written(name, value) for name, value in values.items()
                if name in before or value != DEFAULTS[name]
            })  # fmt: skip
            if written != source:
                write_atomically(path, written.encode())
    except toml_text.UnsafeError as fault:
        raise SettingsError(
            f"{path} is written in a way that cannot be changed safely; edit it by hand."
        ) from fault
    except UnicodeEncodeError as fault:
        raise SettingsError("A name that is not UTF-8 cannot be kept in the settings; rename it.") from fault
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as fault:
        raise SettingsError(f"{path} is not valid TOML, so it was left alone; mend it by hand.") from fault
    except OSError as fault:
        raise SettingsError(
            f"{path or fault.filename} could not be written: {fault.strerror or fault}."
        ) from fault


def _written(name: str, value: Any) -> Any:
    """A list stays, if only as an empty one: what is said of its entries may stand in it."""
    return MISSING if value == DEFAULTS[name] and not isinstance(value, list | dict) else value
