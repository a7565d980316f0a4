"""How a model is shown: as a line of a list whose columns fit the width, and by itself with all that is known of it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from sdcore.library.fitting import Fit, fits, loaded_bytes, size_text
from sdcore.spec.found import ModelFile
from sdcore.spec.sanitise import sanitise
from tui.parameter_row import short
from tui.shortening import fitted

_GAP: Final = "  "
_LEAST_NAME: Final = 24
_FIT_NOTES: Final[dict[Fit, str]] = {
    "": "",
    "fits": "it fits",
    "offloads": "in parts, which is slower",
    "too large": "more than there is",
}


class Device(msgspec.Struct, frozen=True):
    """Where models run: how much memory there is in all, 0 while that is not known, and whether it is a GPU's."""

    memory_bytes: int = 0
    on_gpu: bool = False

    def needs(self, model: ModelFile) -> int:
        """The bytes that the model's weights take there."""
        return loaded_bytes(model, on_gpu=self.on_gpu)

    def fit(self, model: ModelFile) -> Fit:
        """Whether the model fits."""
        return fits(self.needs(model), self.memory_bytes, on_gpu=self.on_gpu)


class _Column(msgspec.Struct, frozen=True):
    """A column: its title, its width, how it is read; it is left out where less than `room` cells are there."""

    title: str
    width: int
    read: Callable[[ModelFile, Device], str]
    right: bool = False
    room: int = 0


def _verdict(model: ModelFile, device: Device) -> str:
    return "refused" if model.problem else device.fit(model)


_COLUMNS: Final = (
    _Column("what it is", 20, lambda model, device: model.what),
    _Column("form", 6, lambda model, device: model.kind, room=84),
    _Column("weights", 9, lambda model, device: f"{model.parameters / 1e6:,.0f} M" if model.parameters else "",
            right=True, room=100),
    _Column("dtype", 7, lambda model, device: model.dtype, room=112),
    _Column("native", 7, lambda model, device: f"{model.native_size} px", right=True, room=124),
    _Column("size", 7, lambda model, device: size_text(model.bytes), right=True),
    _Column("memory", 9, _verdict),
)  # fmt: skip
"""What stands after the name."""


def title_line(width: int) -> Content:
    """The titles of the columns of `model_line`."""
    cells = [_cell(column.title, column.width, column.right) for column in _columns(width)]
    return Content.styled(_GAP.join([_cell("name", _name_width(width)), *cells]), "$dim")


def model_line(model: ModelFile, device: Device, width: int, *, present: bool) -> Content:
    """A model in `width` cells, in the accent colour where it is the `present` one."""
    name_style = "$accent" if present else "$dim" if model.problem else "$bright"
    parts = [Content.styled(_cell(model.name, _name_width(width)), name_style)]
    for column in _columns(width):
        text = column.read(model, device)
        style = "$alert" if text in ("refused", "too large") else "$dim" if model.problem else "$normal"
        parts.append(Content.styled(_GAP + _cell(text, column.width, column.right), style))
    return Content("").join(parts)


def _columns(width: int) -> list[_Column]:
    return [column for column in _COLUMNS if width >= column.room]


def _name_width(width: int) -> int:
    return max(_LEAST_NAME, width - sum(column.width + len(_GAP) for column in _columns(width)))


def _cell(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells, its end left out where it is too long."""
    text = sanitise(text, newlines=False)
    return " " * (width - cell_len(text)) + text if right and cell_len(text) <= width else fitted(text, width)


class ModelFacts(Widget):
    """All that is known of one model: what it is, where it lies, what it needs, and why it cannot be loaded."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """What it says, a fact a line."""
        return "\n".join(line for line, _ in self._lines)

    def show(self, model: ModelFile | None, device: Device, known_hash: str) -> None:
        """Tell of this model; of none, nothing."""
        lines = _facts(model, device, known_hash) if model else ()
        self._lines = tuple((sanitise(line, newlines=False), style) for line, style in lines if line)
        self.refresh()

    def render(self) -> Content:
        """As many of the facts as there is room for, wrapped; a path is broken wherever the line ends."""
        width = max(10, self.size.width)
        wrapped = [
            Content.styled(part, style)
            for line, style in self._lines
            for part in textwrap.wrap(line, width, break_on_hyphens=False)[:2]
        ]
        return Content("\n").join(wrapped[: self.size.height])


def _facts(model: ModelFile, device: Device, known_hash: str) -> tuple[tuple[str, str], ...]:
    millions = f"{model.parameters / 1e6:,.0f} M weights" if model.parameters else ""
    what = (model.what, millions, model.dtype, f"{model.native_size} px", model.kind, size_text(model.bytes))
    hashed = f"hash {known_hash}" if known_hash else ""
    beside = f"{Path(model.path).stem}/"
    borrows = f"A part of a model: the rest has to lie beside it in {beside}"
    return (
        (model.name, "bold $bright"),
        (" · ".join(part for part in (*what, hashed) if part), "$normal"),
        (short(str(Path(model.path))), "$dim"),
        ("" if model.problem else _memory(model, device), "$normal"),
        ("" if model.whole or model.problem else borrows, "$normal"),
        (model.problem, "$alert"),
    )


def _memory(model: ModelFile, device: Device) -> str:
    fit = device.fit(model)
    if not fit:
        return ""
    place = "GPU memory" if device.on_gpu else "memory"
    share = f"{size_text(device.needs(model))} of {size_text(device.memory_bytes)} {place}"
    return f"needs about {share}: {_FIT_NOTES[fit]}"
