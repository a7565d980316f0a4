"""What the library looks through and for: folders, saved searches, and what completes a search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sdcore.library import searches
from sdcore.spec.search import FIELDS
from tui.files import pasted_path
from tui.folder_settings import add_folder, listed_folders, remove_folder
from tui.image_text import home_path
from tui.screens.lists.ask import Ask, FolderSuggester, WordSuggester
from tui.screens.lists.chooser import Choice, Chooser

if TYPE_CHECKING:
    from tui.screens.library.screen import LibraryScreen

_ADD: Final = "add"
_REMOVE: Final = "remove "
_FIND: Final = "find "
_KEEP: Final = "keep"
_FORGET: Final = "forget "
_ALREADY: Final = "The images of {} are shown already."
_FOLDER_ABOUT: Final = "A folder of images, of whatever program. They stay where they are, and as they are."


class Finding:
    """The lists behind two keys of the library."""

    def __init__(self, screen: LibraryScreen) -> None:
        self._screen = screen
        self.suggester = WordSuggester([*(f"{field}:" for field in FIELDS), "star"], " ")

    async def folders(self) -> None:
        """Show the folders; add one, or take one out."""
        app = self._screen.app
        present = await asyncio.to_thread(listed_folders, "library_folders")
        own = home_path(str(app.studio.outputs))
        taken = await app.push_screen_wait(Chooser("folders of images", [
            Choice(_ADD, "Add a folder…", f"Besides {own}, where sdtui saves."),
            *(Choice(f"{_REMOVE}{folder}", f"Take out {home_path(folder)}", "Its images stay where they are; they "
                     "are no longer shown here.") for folder in present),
        ]))  # fmt: skip
        if taken == _ADD:
            await self._add_folder()
        elif taken is not None:
            folder = taken.removeprefix(_REMOVE)
            problem = await asyncio.to_thread(remove_folder, folder, "library_folders")
            self._tell(problem, f"The images of {home_path(folder)} are no longer shown.")

    async def _add_folder(self) -> None:
        folder = await self._screen.app.push_screen_wait(Ask(
            "add a folder", _FOLDER_ABOUT, "~/", suggester=FolderSuggester(),
            check=lambda text: add_folder(text, "library_folders", _ALREADY),
        ))  # fmt: skip
        if folder is not None:
            self._tell("", f"The images of {home_path(pasted_path(folder))} appear as they are read.")

    async def searches(self) -> None:
        """Show the saved searches; take one, keep the present one, or forget one."""
        app, present = self._screen.app, self._screen.line.value.strip()
        saved = await asyncio.to_thread(searches.read)
        keep = [Choice(_KEEP, "Save this search…", present)] if present else []
        taken = await app.push_screen_wait(Chooser("saved searches", [
            *keep,
            *(Choice(f"{_FIND}{name}", name, query) for name, query in saved.items()),
            *(Choice(f"{_FORGET}{name}", f"Forget {name}", query) for name, query in saved.items()),
        ], empty="No search is saved yet; search for something with / first, then b saves it."))  # fmt: skip
        if taken is None:
            return
        if taken == _KEEP:
            await self._keep(present)
        elif taken.startswith(_FIND):
            self._screen.line.value = saved[taken.removeprefix(_FIND)]
            self._screen.grid.focus()
        else:
            name = taken.removeprefix(_FORGET)
            problem = await asyncio.to_thread(_problem, lambda: searches.remove(name))
            self._tell(problem, f"The search {name} is forgotten.")

    async def _keep(self, query: str) -> None:
        name = await self._screen.app.push_screen_wait(Ask(
            "save this search", query, hint="its name",
            check=lambda name: _problem(lambda: searches.add(name, query)),
        ))  # fmt: skip
        if name is not None:
            self._tell("", f"The search is saved as {name}; b brings it back.")

    def _tell(self, problem: str, sentence: str) -> None:
        if problem:
            self._screen.say(problem, tone="alert")
        else:
            self._screen.say(sentence)


def _problem(change: Callable[[], object]) -> str:
    """Change the saved searches; why that cannot be, or ""."""
    try:
        change()
    except searches.SearchesError as fault:
        return str(fault)
    return ""
