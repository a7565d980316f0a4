"""Recent images as a row of thumbnails, newest first."""

from __future__ import annotations

import stat
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Final

from PIL import Image
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.worker import Worker, get_current_worker

from tui.term.frames import depth_for, joined
from tui.term.pacing import COARSE, is_spare, purse_of, thumb_grain
from tui.term.palette import Depth
from tui.term.picture_strips import picture_strips
from tui.term.pixels import fit
from tui.widgets.own_lines import OwnLines

GAP: Final = 2
"""Cells between two thumbnails: room for the bars that hug the chosen one."""

_LATEST: Final = 10.0
"""Seconds after which a new image is shown at the latest there."""
_AT_ONCE: Final = 3
"""How many thumbnails are refined in one rest of the line."""

_KEPT: Final = 256
_MAX_BYTES: Final = 256 << 20
_MAX_PIXELS: Final = 64_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP")

Lines = list[Strip]
_Key = tuple[Path, int, int, Depth, int]


class Filmstrip(OwnLines, can_focus=True):
    """Thumbnails in a row; left and right move the choice, Enter or a second click takes it.

    Thumbnails are made on a thread, newest first. A file that cannot be read keeps an empty frame.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "newer", show=False),
        Binding("right", "move(1)", "older", show=False),
        Binding("home", "move(-1000000)", "newest", show=False),
        Binding("end", "move(1000000)", "oldest", show=False),
        Binding("enter", "choose", "show", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"filmstrip--chosen", "filmstrip--empty"}
    DEFAULT_CSS = """
    Filmstrip { width: 1fr; height: 5; min-height: 3; max-height: 6; color: $text-muted; }
    Filmstrip > .filmstrip--chosen { color: $text-disabled; }
    Filmstrip:focus > .filmstrip--chosen { color: $accent; }
    Filmstrip > .filmstrip--empty { color: $text-disabled; }
    """

    class Highlighted(Message):
        """The choice moved to the image at `path`."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class Chosen(Message):
        """The image at `path` was chosen."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class _Made(Message):
        """A thread made a thumbnail; None where the file would not be read."""

        def __init__(self, key: _Key, lines: Lines | None) -> None:
            super().__init__()
            self.key = key
            self.lines = lines

    def __init__(self, hint: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._hint = hint
        self._paths: list[Path] = []
        self._chosen = 0
        self._first = 0
        self._thumbs: OrderedDict[_Key, Lines | None] = OrderedDict()
        self._worker: Worker[None] | None = None
        self._fine: set[Path] = set()
        """Where bytes are dear, the images that are shown as well as elsewhere."""
        self._refining = False
        self._due: float | None = None
        """When the images that were added are to be shown at the latest."""

    # -- what is shown ---------------------------------------------------------------------------------------

    @property
    def paths(self) -> Sequence[Path]:
        """The images, newest first."""
        return tuple(self._paths)

    @property
    def highlighted(self) -> Path | None:
        """The image under the choice."""
        return self._paths[self._chosen] if self._paths else None

    def set_paths(self, paths: Iterable[Path]) -> None:
        """Show these images, newest first; the choice stays on its image where that is still among them."""
        before = self.highlighted
        self._paths = list(dict.fromkeys(paths))
        self._chosen = self._paths.index(before) if before in self._paths else 0
        self._reveal()

    def add(self, path: Path) -> None:
        """Put a new image in front. A choice of the newest stays so, any other keeps its image."""
        if path in self._paths:
            return
        self._paths.insert(0, path)
        if self._chosen:
            self._chosen += 1
        if not is_spare(self.app):
            self._reveal(with_thumbs=True)
        elif self._due is None:
            self._due = time.monotonic() + _LATEST
            self._reveal_at_rest()

    def _reveal_at_rest(self) -> None:
        """Show what was added, all of which moves: once the line is at rest, or has not been for long."""
        if self._due is None:
            return
        wait = min(purse_of(self.app).unrest, self._due - time.monotonic())
        if wait > 0:
            self.set_timer(wait, self._reveal_at_rest)
        else:
            self._fine.clear()
            self._reveal()

    def _refine_at_rest(self) -> None:
        """Show a few more of the thumbnails in view as well as can be, whenever the line is at rest."""
        self._refining = False
        if not is_spare(self.app) or not (
            coarse := [one for one in self._in_view() if one not in self._fine]
        ):
            return
        if (wait := purse_of(self.app).unrest) > 0:
            self._refining = True
            self.set_timer(wait, self._refine_at_rest)
        else:
            self._fine.update(coarse[:_AT_ONCE])
            self._make_missing()

    # -- choosing --------------------------------------------------------------------------------------------

    def action_move(self, places: int) -> None:
        """Move the choice by `places`, at most to either end."""
        if self._paths:
            self._highlight(max(0, min(self._chosen + places, len(self._paths) - 1)))

    def action_choose(self) -> None:
        """Take the image under the choice."""
        if (path := self.highlighted) is not None:
            self.post_message(self.Chosen(path))

    def on_click(self, event: events.Click) -> None:
        """Move the choice to the thumbnail clicked; a click on the choice takes it."""
        slot = (event.get_content_offset_capture(self).x) // self._pitch
        index = self._first + slot
        if index >= len(self._paths):
            return
        if index == self._chosen:
            self.action_choose()
        else:
            self._highlight(index)

    def _highlight(self, index: int) -> None:
        if index == self._chosen:
            return
        self._chosen = index
        self._reveal()
        self.post_message(self.Highlighted(self._paths[index]))

    @property
    def _pitch(self) -> int:
        return 2 * self.size.height + GAP

    def _reveal(self, *, with_thumbs: bool = False) -> None:
        """Scroll so that the choice is in view, and have the thumbnails in view made; `with_thumbs` all is drawn once,
        when the first of them is there."""
        visible = max(1, self.size.width // self._pitch)
        self._first = min(self._first, self._chosen, max(0, len(self._paths) - visible))
        self._first = max(self._first, self._chosen - visible + 1)
        self._due = None
        if not (self._make_missing() and with_thumbs):
            self.refresh()

    # -- thumbnails ------------------------------------------------------------------------------------------

    def _in_view(self) -> list[Path]:
        count = self.size.width // self._pitch + 1
        return self._paths[self._first : self._first + count]

    def _key(self, path: Path) -> _Key:
        grain = 1 if path in self._fine else thumb_grain(self.app)
        return path, self.size.height, 2 * self.size.height, depth_for(self.app), grain

    def _lines_of(self, path: Path) -> Lines | None:
        """The thumbnail as it is to be, or the coarse one until that is made."""
        key = self._key(path)
        for one in (key, (*key[:-1], COARSE)):
            if (lines := self._thumbs.get(one)) is not None:
                self._thumbs.move_to_end(one)
                return lines
        return None

    def _make_missing(self) -> bool:
        """Whether some are being made."""
        if not self.is_mounted or not self.size:
            return False
        wanted = [key for key in map(self._key, self._in_view()) if key not in self._thumbs]
        if not wanted:
            return False

        def make() -> None:
            worker = get_current_worker()
            for key in wanted:
                if worker.is_cancelled:
                    return
                self.post_message(self._Made(key, thumbnail(*key)))

        self.run_worker(make, thread=True, exclusive=True, group="filmstrip", exit_on_error=False)
        return True

    def on_filmstrip__made(self, message: _Made) -> None:
        """Keep a thumbnail, and forget the one that has not been looked at for longest."""
        message.stop()
        self._thumbs[message.key] = message.lines
        while len(self._thumbs) > _KEPT:
            self._thumbs.popitem(last=False)
        self.refresh()
        if not self._refining:
            self._refine_at_rest()

    def on_resize(self) -> None:
        """Thumbnails are as high as the strip: make those that are missing at this height."""
        self._reveal()

    def finished(self, begin: int, end: int) -> list[Strip] | None:
        """The lines of the thumbnails; the hint is drawn as any text."""
        return super().finished(begin, end) if self._paths else None

    # -- drawing ---------------------------------------------------------------------------------------------

    def render(self) -> Content:
        """The hint, where there are no images."""
        return Content("" if self._paths else self._hint)

    def render_line(self, y: int) -> Strip:
        """One line across all thumbnails in view."""
        if not self._paths:
            return super().render_line(y)
        width, height = self.size
        background, bar, empty = map(self.style_of, ("", "filmstrip--chosen", "filmstrip--empty"))
        beside = Strip.blank(1, background)
        parts: list[Strip] = []
        for place, path in enumerate(self._in_view()):
            chosen = self._first + place == self._chosen
            parts.append(Strip([Segment("▐", bar)]) if chosen else beside)
            parts += self._thumb_line(path, y, height, background, empty)
            parts.append(Strip([Segment("▌", bar)]) if chosen else beside)
        return joined(_as_wide_as(width, parts, background), self.app.console)

    def _thumb_line(self, path: Path, y: int, height: int, background: Style, empty: Style) -> list[Strip]:
        """Line `y` of a thumbnail's box of `2 * height` cells: its pixels, or a dot while there are none."""
        box = 2 * height
        lines = self._lines_of(path)
        if lines is None:
            mark = ("×" if self._key(path) in self._thumbs else "·") if y == height // 2 else " "
            before, after = box // 2 - 1, box - box // 2
            return [
                Strip.blank(before, background),
                Strip([Segment(mark, empty)]),
                Strip.blank(after, background),
            ]
        above = (height - len(lines)) // 2
        if not 0 <= y - above < len(lines):
            return [Strip.blank(box, background)]
        line = lines[y - above]
        left = (box - line.cell_length) // 2
        right = box - line.cell_length - left
        return [Strip.blank(left, background), line, Strip.blank(right, background)]


def _as_wide_as(width: int, parts: Iterable[Strip], background: Style) -> list[Strip]:
    """The parts as far as there is room, and ground behind them."""
    fitting: list[Strip] = []
    room = width
    for part in parts:
        fitting.append(part if part.cell_length <= room else part.crop(0, room))
        room -= fitting[-1].cell_length
    return [*fitting, Strip.blank(room, background)]


def thumbnail(path: Path, rows: int, columns: int, depth: Depth, grain: int = 1) -> Lines | None:
    """The image at `path` fitted into a box of cells, as lines of them; None if we cannot read it. Its pixels are
    `grain` columns wide."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            return None
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                return None
            image.draft("RGB", (columns * 2, rows * 4))
            columns, rows = fit(*image.size, columns, rows)
            return picture_strips(image, columns, rows, depth, grain)
    except Exception:
        # Pillow's decoders raise nearly anything (struct.error, IndexError, ...) on a hostile file, and an
        # unreadable picture among the recent ones is no reason to trouble anybody
        return None
