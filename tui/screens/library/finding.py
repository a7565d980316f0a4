"""What the library looks through and for: folders, saved searches, and what completes a search."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from sdcore.spec.search import FIELDS
from tui.files import pasted_path
from tui.image_text import home_path
from tui.line.library import LibraryError
from tui.screens.lists.ask import Ask, FolderSuggester, WordSuggester
from tui.screens.lists.chooser import Choice, Chooser

if TYPE_CHECKING:
    from tui.screens.library.screen import LibraryScreen

_ADD: Final = "add"
_REMOVE: Final = "remove "
_FIND: Final = "find "
_KEEP: Final = "keep"
_FORGET: Final = "forget"
_FOLDER_ABOUT: Final = "A folder of images, of whatever program. They stay where they are, and as they are."


class Finding:
    """The lists behind two keys of the library."""

    def __init__(self, screen: LibraryScreen) -> None:
        self._screen = screen
        self.suggester = WordSuggester([*(f"{field}:" for field in FIELDS), "star"], " ")

    async def folders(self) -> None:
        """Show the folders; add one, or take one out."""
        app, library = self._screen.app, self._screen.library
        saved = await library.saved()
        title = f"folders of images on {library.machine}" if library.machine else "folders of images"
        taken = await app.push_screen_wait(Chooser(title, [
            Choice(_ADD, "Add a folder…", f"Besides {self._named(saved.outputs)}, where sdtui saves."),
            *(Choice(f"{_REMOVE}{folder}", f"Take out {self._named(folder)}", "Its images stay where they are; they "
                     "are no longer shown here.") for folder in saved.folders),
        ]))  # fmt: skip
        if taken == _ADD:
            await self._add_folder()
        elif taken is not None:
            folder = taken.removeprefix(_REMOVE)
            await library.remove_folder(folder)
            self._screen.say(f"The images of {self._named(folder)} are no longer shown.")

    async def _add_folder(self) -> None:
        library = self._screen.library
        about = f"{_FOLDER_ABOUT} It is one on {library.machine}." if library.machine else _FOLDER_ABOUT
        suggester = None if library.machine else FolderSuggester()
        folder = await self._screen.app.push_screen_wait(
            Ask("add a folder", about, "~/", suggester=suggester, check=_checked(library.add_folder))
        )
        if folder is not None:
            self._screen.say(f"The images of {self._named(pasted_path(folder))} appear as they are read.")

    def _named(self, folder: str) -> str:
        """A folder by its path; of this machine, from the home folder on."""
        return folder if self._screen.library.machine else home_path(folder)

    async def searches(self) -> None:
        """Show the saved searches; take one, keep the present one, or forget one."""
        app, present = self._screen.app, self._screen.line.value.strip()
        saved = (await self._screen.library.saved()).searches
        keep = [Choice(_KEEP, "Save this search…", present)] if present else []
        forget = [Choice(_FORGET, "Forget one…")] if saved else []
        found = [Choice(f"{_FIND}{name}", name, query) for name, query in saved.items()]
        taken = await app.push_screen_wait(
            Chooser(
                "saved searches",
                [*keep, *found, *forget],
                empty="No search is saved yet; search for something with / first, then b saves it.",
            )
        )
        if taken is None:
            return
        if taken == _KEEP:
            await self._keep(present)
        elif taken.startswith(_FIND):
            self._screen.line.value = saved[taken.removeprefix(_FIND)]
            self._screen.grid.focus()
        else:
            await self._forget(saved)

    async def _forget(self, saved: dict[str, str]) -> None:
        choices = [Choice(name, name, query) for name, query in saved.items()]
        name = await self._screen.app.push_screen_wait(Chooser("forget a search", choices))
        if name is not None:
            await self._screen.library.forget_search(name)
            self._screen.say(f"The search {name} is forgotten.")

    async def _keep(self, query: str) -> None:
        library = self._screen.library
        keep = _checked(lambda name: library.keep_search(name, query))
        name = await self._screen.app.push_screen_wait(
            Ask("save this search", query, hint="its name", check=keep)
        )
        if name is not None:
            self._screen.say(f"The search is saved as {name}; b brings it back.")


def _checked(change: Callable[[str], Awaitable[None]]) -> Callable[[str], str]:
    """A check for `Ask`, which is called on a thread: makes the change, and says why that cannot be, or ""."""
    loop = asyncio.get_running_loop()

    async def tried(answer: str) -> str:
        try:
            await change(answer)
        except LibraryError as fault:
            return str(fault)
        return ""

    return lambda answer: asyncio.run_coroutine_threadsafe(tried(answer), loop).result()
