"""One row of the parameters pane as data, and the few kinds of rows that there are. No widgets here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from sdcore.spec.recipe import Recipe

Kind = Literal["typed", "listed", "file"]
Files = Literal["image", "weights"]
"""What a file row takes: a picture, or a .safetensors file."""

INPUT_PREFIX: Final = "input:"
"""How a recipe names a kept copy of an image."""

_LONGEST: Final[dict[Kind, int]] = {"typed": 24, "listed": 0, "file": 4096}
_DIGITS: Final = "0123456789"
_DEFAULT: Final = Recipe()


class Order(msgspec.Struct, frozen=True):
    """What a person asks for besides a recipe: how many jobs are made of it at once. No part of any image."""

    count: int = 1


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row, of a recipe or of an order. `accepts` are the characters that can be typed into it, none where it is
    chosen from a list; into a file's row everything printable can be.

    `read` turns its text into fields of what it is of or raises ValueError; `write` is its text for that;
    `change` is the text one step up (+1) or down (-1), of what models of a family can do ("" where that is not known).
    `ask` is the sentence shown when the text cannot be read.

    A `folded` row is out of sight while it is at rest; one with a `parent` has an effect, and a place, only while the
    row of that name is not at rest. `empty` stands dimly where there is no text.
    """

    name: str
    fields: tuple[str, ...]
    accepts: str
    ask: str
    read: Callable[[str], dict[str, object]]
    write: Callable[[Any], str]
    change: Callable[[Any, int, str], str]
    about: str
    kind: Kind = "typed"
    files: Files = "image"
    label: str = ""
    folded: bool = False
    parent: str = ""
    empty: str = ""

    @property
    def title(self) -> str:
        """What stands before the value."""
        return self.label or self.name

    def takes(self, text: str, character: str) -> bool:
        """Whether `character` can be typed after `text`."""
        if not character or len(text) >= _LONGEST[self.kind]:
            return False
        return character.isprintable() if self.kind == "file" else character in self.accepts

    def rests(self, recipe: Recipe) -> bool:
        """Whether the row says what it says in a new recipe."""
        return all(getattr(recipe, field) == getattr(_DEFAULT, field) for field in self.fields)


def whole(name: str, field: str, ask: str, about: str, *, least: int = 1, most: int, label: str = "",
          parent: str = "", folded: bool = False) -> Row:  # fmt: skip
    """A row of digits, counted up and down one by one between `least` and `most`."""

    def change(subject: Recipe | Order, direction: int, family: str) -> str:
        return str(min(most, max(least, getattr(subject, field) + direction)))

    return Row(name=name, fields=(field,), accepts=_DIGITS, ask=ask, about=about, label=label, parent=parent,
               folded=folded, read=lambda text: {field: int(text)}, write=lambda subject: str(getattr(subject, field)),
               change=change)  # fmt: skip


def real(name: str, field: str, ask: str, about: str, *, step: float, least: float, most: float, off: bool = False,
         empty: str = "off", label: str = "", parent: str = "", folded: bool = False) -> Row:  # fmt: skip
    """A row of a number with a point or a comma. With `off` its resting value is an empty text, shown as `empty`."""
    rest: float = getattr(_DEFAULT, field)

    def read(text: str) -> dict[str, object]:
        return {field: rest if off and not text.strip() else float(text.replace(",", "."))}

    def shown(value: float) -> str:
        return "" if off and value == rest else f"{value:g}"

    def change(recipe: Recipe, direction: int, family: str) -> str:
        return shown(min(most, max(least, round(getattr(recipe, field) + direction * step, 4))))

    return Row(name=name, fields=(field,), accepts=f"{_DIGITS}.,", ask=ask, about=about, label=label, parent=parent,
               folded=folded, read=read, change=change, write=lambda recipe: shown(getattr(recipe, field)),
               empty=empty if off else "")  # fmt: skip


def listed(name: str, options: Callable[[Recipe, str], list[str]], about: str, *, field: str = "", label: str = "",
           parent: str = "", folded: bool = False) -> Row:  # fmt: skip
    """A row that is chosen from a list: that of a recipe and the family of its model."""
    field = field or name

    def change(recipe: Recipe, direction: int, family: str) -> str:
        names, now = options(recipe, family), getattr(recipe, field)
        return names[(names.index(now) + direction) % len(names)] if now in names else (names or [now])[0]

    return Row(name=name, fields=(field,), accepts="", ask="", about=about, kind="listed", label=label, parent=parent,
               folded=folded, change=change, read=lambda text: {field: text},
               write=lambda recipe: getattr(recipe, field))  # fmt: skip


def file(name: str, field: str, ask: str, about: str, *, files: Files, empty: str, label: str = "",
         parent: str = "") -> Row:  # fmt: skip
    """A row that names a file: typed, or picked from a list of the folder's."""

    def read(text: str) -> dict[str, object]:
        return {field: absolute(text, files)}

    return Row(name=name, fields=(field,), accepts="", ask=ask, about=about, kind="file", files=files, label=label,
               parent=parent, folded=True, empty=empty, read=read, write=lambda recipe: short(getattr(recipe, field)),
               change=lambda recipe, direction, family: short(getattr(recipe, field)))  # fmt: skip


def absolute(text: str, files: Files = "image") -> str:
    """A typed path as a recipe keeps it: absolute, `~` written out. A kept copy and a name that is no path (a VAE of
    the hub) stay. Raises ValueError where it cannot be a path."""
    text = text.strip()
    if not text or text.startswith(INPUT_PREFIX):
        return text
    if "\0" in text:
        raise ValueError(text)
    text.encode()  # half of a surrogate pair raises ValueError
    if files == "weights" and not re.match(r"[~/.]", text) and not text.endswith(".safetensors"):
        return text
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError as fault:  # the home of a user whom nobody knows
        raise ValueError(text) from fault


def short(path: str) -> str:
    """A path with the home folder as `~`."""
    home = str(Path.home())
    return f"~{path[len(home) :]}" if f"{path}/".startswith(f"{home}/") else path


def model_name(ref: str) -> str:
    """What a model is called that a recipe names: by its path, the last part of it, without what weights end in."""
    return Path(ref).name.removesuffix(".safetensors") or ref if ref.startswith("/") else ref
