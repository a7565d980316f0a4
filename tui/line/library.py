"""The images that can be browsed: those of this machine, or of the one that the engine is on."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from tui.image_text import Told
from tui.thumbs import Lines, Thumb

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.style import Style

    from sdcore.library.index import Progress, Row


class LibraryError(Exception):
    """Something could not be done; the message is one sentence that says why."""


class Found(msgspec.Struct, frozen=True):
    """What a search found: `count` of `total` images, newest first, in that `version` of the index. `ids` (array of
    type "q") are those from place `first` on, of this machine all of them; `rows` is what came with them. `at` is the
    place of the image that was asked for, None where it is not among them."""

    version: int
    count: int
    total: int
    ids: array[int]
    first: int = 0
    rows: tuple[Row, ...] = ()
    at: int | None = None


class Thrown(msgspec.Struct, frozen=True):
    """What was thrown away at once: images by their ids, and what names it when it is put back. `problems` are
    sentences about images that could not be moved."""

    ids: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Saved(msgspec.Struct, frozen=True):
    """Tags in use, saved searches by their names, the folder of the outputs and those that were added to it."""

    tags: tuple[str, ...] = ()
    searches: dict[str, str] = {}
    outputs: str = ""
    folders: tuple[str, ...] = ()


class ThumbSource(Protocol):
    """Where the grid's thumbnails come from."""

    def at_hand(self, thumbs: Sequence[Thumb]) -> list[Thumb]:
        """Those, the most wanted first, that can be made now; the others are fetched. Belongs to the event loop."""

    def make(self, thumb: Thumb, style: Style) -> Lines | None:
        """One of them as finished lines; None where it cannot be read. For a thread."""

    def listen(self, came: Callable[[], object]) -> None:
        """Have `came` called on the event loop whenever others are at hand."""


class Library(Protocol):
    """All images of a machine. Nothing here blocks the event loop; what raises, raises `LibraryError`."""

    @property
    def machine(self) -> str:
        """The name of the machine, "" for this one."""

    @property
    def most(self) -> int | None:
        """So many images can be worked on at once, None for any number."""

    @property
    def thumbs(self) -> ThumbSource:
        """Where small copies come from."""

    @property
    def trouble(self) -> str:
        """Why nobody answers now, in one sentence, or ""."""

    def open(self) -> None:
        """Somebody looks from now on."""

    def close(self) -> None:
        """Nobody looks any more."""

    async def news(self) -> tuple[int, Progress]:
        """The version of the index, another one whenever a search may find something else, and what its keeper does.
        Sends nothing over a line."""

    async def search(self, text: str, window: tuple[int, int], ahead: int = 0, at: int = 0) -> Found | None:
        """Look for what a person typed; where not all ids come at once, those of the places from `window[0]` to before
        `window[1]` come, or around the image whose id is `at`, and the rows of the first `ahead` of them. None where
        something newer was asked for meanwhile, or nobody answers."""

    async def page(self, text: str, window: tuple[int, int]) -> Found | None:
        """More ids of the same search. None where nobody answers."""

    async def rows(self, ids: Sequence[int]) -> list[Row]:
        """What is known of images, to be shown: long texts may be cut short; those that are gone are left out."""

    async def whole_rows(self, ids: Sequence[int]) -> list[Row]:
        """The same with texts as they are. Raises."""

    async def saved(self) -> Saved:
        """Tags, saved searches and folders. Raises."""

    async def picture(self, told: Told, side: int) -> Image | None:
        """The image, `side` pixels the longer side at least if it is so large; None where it cannot be read. Raises."""

    async def tell(self, told: Told) -> Told:
        """What the file says, besides what is known; with a `problem` where it cannot be read. Raises."""

    async def bring(self, row: Row, progress: Callable[[float], object] = lambda share: None) -> Path:
        """The file on this machine; `progress` hears what share of it (0..1) is here. Raises."""

    def source(self, row: Row) -> str:
        """What the engine calls the file, its links followed."""

    def scp(self, rows: Sequence[Row]) -> str:
        """The line that fetches the files to where a person sits."""

    async def mark(
        self,
        rows: Sequence[Row],
        *,
        star: bool | None = None,
        new: Sequence[str] = (),
        old: Sequence[str] = (),
    ) -> None:
        """Give images a star or take it away, give them tags and take tags from them. Raises."""

    async def throw(self, rows: Sequence[Row]) -> Thrown:
        """Move images into the trash. Raises."""

    async def restore(self, thrown: Thrown) -> tuple[str, ...]:
        """Put them back; sentences about those that could not be. Raises."""

    async def keep_search(self, name: str, query: str) -> None:
        """Save a search. Raises."""

    async def forget_search(self, name: str) -> None:
        """Forget one. Raises."""

    async def add_folder(self, text: str) -> None:
        """Have the images of a folder, typed or pasted, in the library, too. Raises."""

    async def remove_folder(self, folder: str) -> None:
        """Have those of one that was added no longer. Raises."""

    async def sheet(self, rows: Sequence[Row]) -> str:
        """Save images as one; the path of that. Raises."""
