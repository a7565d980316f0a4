"""The images of this machine: its index and its disks, read and written on threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tui.image_text import Told, tell
from tui.line.library import Found, LibraryError, Saved, Thrown
from tui.thumbs import Lines, Thumb, make_lines

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.style import Style

    from sdcore.library.catalogue import Catalogue
    from sdcore.library.index import Progress, Row


ALREADY: Final = "The images of {} are shown already."


class NearThumbs:
    """See `ThumbSource`: all can be made now."""

    def at_hand(self, thumbs: Sequence[Thumb]) -> list[Thumb]:
        """See `ThumbSource`."""
        return list(thumbs)

    def make(self, thumb: Thumb, style: Style) -> Lines | None:
        """See `ThumbSource`."""
        return make_lines(thumb, style)

    def listen(self, came: Callable[[], object]) -> None:
        """See `ThumbSource`: nothing ever comes."""


class NearLibrary:
    """See `Library`."""

    machine = ""
    most = None

    def __init__(self) -> None:
        self.thumbs = NearThumbs()
        self._opened: Catalogue | None = None
        self._request = 0

    @property
    def catalogue(self) -> Catalogue:
        """The index, opened when it is first asked for."""
        if self._opened is None:
            from sdcore.library.catalogue import Catalogue

            self._opened = Catalogue()
        return self._opened

    @property
    def trouble(self) -> str:
        """See `Library`: this machine answers."""
        return ""

    def open(self) -> None:
        """See `Library`."""

    def close(self) -> None:
        """See `Library`."""
        self._request += 1
        closing, self._opened = self._opened, None
        if closing is not None:
            asyncio.get_running_loop().run_in_executor(None, closing.close)

    async def news(self) -> tuple[int, Progress]:
        """See `Library`."""
        return await asyncio.to_thread(self.catalogue.news)

    async def search(self, text: str, window: tuple[int, int], ahead: int = 0, at: int = 0) -> Found | None:
        """See `Library`. All ids come at once."""
        self._request += 1
        request, catalogue = self._request, self.catalogue

        def look() -> Found | None:
            if request != self._request:
                return None
            found = catalogue.find(text)
            if request != self._request:
                return None
            rows = tuple(catalogue.rows(found.ids[:ahead]))
            try:
                place = found.ids.index(at)
            except ValueError:
                place = None
            return Found(found.version, len(found.ids), found.total, found.ids, rows=rows, at=place)

        found = await asyncio.to_thread(look)
        return found if request == self._request else None

    async def page(self, text: str, window: tuple[int, int]) -> Found | None:
        """See `Library`."""
        return await self.search(text, window)

    async def rows(self, ids: Sequence[int]) -> list[Row]:
        """See `Library`."""
        return await asyncio.to_thread(self.catalogue.rows, list(ids))

    async def whole_rows(self, ids: Sequence[int]) -> list[Row]:
        """See `Library`."""
        return await self.rows(ids)

    async def saved(self) -> Saved:
        """See `Library`."""
        from sdcore.library import config, searches
        from sdcore.library.folder_settings import listed_folders

        catalogue = self.catalogue

        def read() -> Saved:
            outputs, folders = config.load()[0].outputs_dir(), listed_folders("library_folders")
            return Saved(tuple(catalogue.tags()), searches.read(), str(outputs), tuple(folders))

        return await asyncio.to_thread(read)

    async def picture(self, told: Told, side: int) -> Image | None:
        """See `Library`: the image itself."""
        from tui.pictures import load_picture

        try:
            return await asyncio.to_thread(load_picture, [Path(told.path)])
        except Exception:  # Pillow raises nearly anything on a damaged file
            return None

    async def tell(self, told: Told) -> Told:
        """See `Library`."""
        return await asyncio.to_thread(tell, told.path, told)

    async def bring(self, row: Row, progress: Callable[[float], object] = lambda share: None) -> Path:
        """See `Library`: it is here."""
        return Path(row.path)

    def source(self, row: Row) -> str:
        """See `Library`."""
        return str(Path(row.path).resolve())

    def scp(self, rows: Sequence[Row]) -> str:
        """See `Library`."""
        from tui.scp_line import scp_line

        return scp_line(row.path for row in rows)

    async def mark(
        self,
        rows: Sequence[Row],
        *,
        star: bool | None = None,
        new: Sequence[str] = (),
        old: Sequence[str] = (),
    ) -> None:
        """See `Library`."""
        from sdcore.library import marks

        paths = [row.path for row in rows]

        def change() -> None:
            if star is not None:
                marks.set_star(paths, star)
            if new:
                marks.add_tags(paths, new)
            if old:
                marks.remove_tags(paths, old)

        try:
            await asyncio.to_thread(change)
        except marks.MarksError as fault:
            raise LibraryError(str(fault)) from fault

    async def throw(self, rows: Sequence[Row]) -> Thrown:
        """See `Library`."""
        from sdcore.library.trash import TrashError

        try:
            removed = await asyncio.to_thread(self.catalogue.throw, [row.path for row in rows])
        except TrashError as fault:
            raise LibraryError(str(fault)) from fault
        ids = tuple(row.id for row in rows if row.path in set(removed.gone))
        return Thrown(ids, (removed.name,) if removed.name else (), removed.problems)

    async def restore(self, thrown: Thrown) -> tuple[str, ...]:
        """See `Library`."""
        catalogue = self.catalogue
        told = await asyncio.to_thread(lambda: [catalogue.restore(name) for name in thrown.names])
        return tuple(problem for problems in told for problem in problems)

    async def keep_search(self, name: str, query: str) -> None:
        """See `Library`."""
        from sdcore.library import searches

        await _searching(lambda: searches.add(name, query))

    async def forget_search(self, name: str) -> None:
        """See `Library`."""
        from sdcore.library import searches

        await _searching(lambda: searches.remove(name))

    async def add_folder(self, text: str) -> None:
        """See `Library`."""
        from tui.folder_settings import add_folder

        if problem := await asyncio.to_thread(add_folder, text, "library_folders", ALREADY):
            raise LibraryError(problem)

    async def remove_folder(self, folder: str) -> None:
        """See `Library`."""
        from sdcore.library.folder_settings import remove_folder

        if problem := await asyncio.to_thread(remove_folder, folder, "library_folders"):
            raise LibraryError(problem)

    async def sheet(self, rows: Sequence[Row]) -> str:
        """See `Library`."""
        from sdcore.library.grids import save_sheet
        from sdcore.library.outputs import OutputError

        try:
            return str(await asyncio.to_thread(save_sheet, [Path(row.path) for row in rows]))
        except (OutputError, MemoryError, OSError) as fault:
            reason = str(fault) or "There is not enough memory to put so many images together."
            raise LibraryError(reason) from fault


async def _searching(change: Callable[[], object]) -> None:
    from sdcore.library.searches import SearchesError

    try:
        await asyncio.to_thread(change)
    except SearchesError as fault:
        raise LibraryError(str(fault)) from fault
