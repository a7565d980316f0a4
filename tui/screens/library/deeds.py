"""What the library does with images: those that are marked, or else the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sdcore.library import marks as marks_file
from sdcore.spec.sanitise import sanitise
from tui.files import pasted_path
from tui.image_text import home_path, told_by
from tui.line.library import LibraryError, Thrown
from tui.once_begun import once_begun
from tui.screens.library.exporting import export_all, folder_fault
from tui.screens.library.results import UNKNOWN
from tui.screens.lists.ask import Ask, FolderSuggester, WordSuggester
from tui.screens.lists.chooser import Choice, Chooser
from tui.widgets.status import MessageLine

if TYPE_CHECKING:
    from sdcore.library.index import Row
    from sdcore.spec.facts import ImageFacts
    from tui.screens.library.screen import LibraryScreen

_MOST_IN_SHEET: Final = 400
_FORMATS: Final = {
    "png": ("PNG", "The pixels as they are."),
    "jpg": ("JPEG", "Small, and shown by everything."),
    "webp": ("WebP", "Smaller still."),
}
_COPIES: Final[dict[str, tuple[str, Callable[[Row], str]]]] = {
    "prompt": ("Prompt", lambda row: row.prompt),
    "negative": ("Negative prompt", lambda row: row.negative_prompt),
    "seed": ("Seed", lambda row: "" if row.seed is None else str(row.seed)),
    "path": ("Path", lambda row: row.path),
}
"""What can be copied of each image: its name in the list, and how it is had."""

_AT_ONCE: Final = frozenset({"star", "trash", "undo"})
"""What asks nothing: done one after another, however fast the keys come, while they move on."""


class Picked(msgspec.Struct, frozen=True):
    """What a key was pressed for: the ids of the marked images in their order, or of the one under the cursor, whose
    id is `here`."""

    ids: tuple[int, ...]
    here: int


Deed = Callable[[Picked], Awaitable[None]]


class Deeds:
    """Does what the keys of the library name. Files are read and written on threads."""

    def __init__(self, screen: LibraryScreen) -> None:
        self._screen = screen
        self._library = screen.library
        self._thrown: list[Thrown] = []
        self._folder = ""
        self._turn = asyncio.Lock()
        self._deeds: dict[str, Deed] = {
            "star": self._star,
            "tag": self._tag,
            "trash": self._throw,
            "undo": self._undo,
            "recall": self._recall,
            "copy": self._copy,
            "start_from": self._start_from,
            "compare": self._compare,
            "inspect": self._inspect,
            "vary": self._vary,
            "sheet": self._sheet,
            "export": self._export,
            "searches": lambda picked: screen.finding.searches(),
            "folders": lambda picked: screen.finding.folders(),
        }

    def do(self, name: str) -> None:
        """Do one of them."""
        deed, picked = self._deeds[name], self._picked()
        if name in _AT_ONCE:
            self._screen.run_worker(once_begun(self._in_turn, deed, picked), group="deed")
        else:
            self._screen.run_worker(once_begun(self._do, deed, picked), group="choose", exclusive=True)

    async def _in_turn(self, deed: Deed, picked: Picked) -> None:
        async with self._turn:
            await self._do(deed, picked)

    async def _do(self, deed: Deed, picked: Picked) -> None:
        try:
            await deed(picked)
        except LibraryError as fault:
            self._complain(fault)

    # What they are done with

    def _picked(self) -> Picked:
        screen = self._screen
        marked = len(screen.marks) > 0
        ids = tuple(one for one in screen.results.ids if one in screen.marks) if marked else ()
        here = screen.here
        return Picked(ids or ((here,) if here != UNKNOWN else ()), here)

    async def _rows(self, picked: Picked) -> list[Row]:
        """The marked images, or the one under the cursor; says so where there is none."""
        most, count = self._library.most, len(picked.ids)
        if most is not None and count > most:
            raise LibraryError(
                f"Over the line at most {most:,} images are worked on at once; {count:,} are marked."
            )
        rows = await self._screen.results.rows_of(picked.ids)
        if not rows:
            self._say("There is no image here to do that with.")
        return rows

    async def _row(self, picked: Picked) -> Row | None:
        """The image under the cursor; says so where there is none."""
        rows = await self._screen.results.rows_of([picked.here] if picked.here != UNKNOWN else [])
        if not rows:
            self._say("There is no image here to do that with.")
        return rows[0] if rows else None

    async def _files(self, rows: Sequence[Row]) -> list[Path]:
        """The files of images on this machine, brought over where they lie on another."""
        paths = []
        for number, row in enumerate(rows, 1):
            name = f"{number} of {len(rows)}" if len(rows) > 1 else _images([row])

            def tell(share: float, name: str = name) -> None:
                self._say(f"Bringing {name} from {self._library.machine}… {share:.0%}")

            paths.append(await self._library.bring(row, tell))
        if self._library.machine:
            self._say("")
        return paths

    def _say(self, *wordings: str) -> None:
        self._screen.say(*wordings)

    def _complain(self, fault: Exception | str) -> None:
        self._screen.say(str(fault), tone="alert")

    # Stars and tags

    async def _star(self, picked: Picked) -> None:
        rows = await self._rows(picked)
        if not rows:
            return
        on = not all(row.star for row in rows)
        await self._library.mark(rows, star=on)
        self._changed([msgspec.structs.replace(row, star=on) for row in rows])
        self._say(f"{_images(rows)} {_has(rows)} {'a star' if on else 'no star any more'}.")

    async def _tag(self, picked: Picked) -> None:
        rows = await self._rows(picked)
        if not rows:
            return
        known = (await self._library.saved()).tags
        present = sorted({tag for row in rows for tag in row.tags}, key=str.casefold)
        about = f"Tags for {_images(rows)}, separated by commas; -tag takes one away."
        if present:
            about += f" Now: {', '.join(present)}."
        answer = await self._screen.app.push_screen_wait(
            Ask("tags", about, suggester=WordSuggester(known), hint="lighthouse, keep")
        )
        words = [word.strip() for word in (answer or "").split(",") if word.strip()]
        old = [marks_file.tidy(word[1:]) for word in words if word.startswith("-")]
        new = [tag for word in words if not word.startswith("-") and (tag := marks_file.tidy(word))]
        if not old and not new:
            return
        await self._library.mark(rows, new=new, old=old)
        gone = {tag.casefold() for tag in old}
        self._changed([
            msgspec.structs.replace(row, tags=tuple(sorted(
                tag for tag in {one.casefold(): one for one in (*new, *row.tags)}.values()
                if tag.casefold() not in gone
            )))
            for row in rows
        ])  # fmt: skip
        done = [
            f"tagged {', '.join(new)}" if new else "",
            f"no longer tagged {', '.join(old)}" if old else "",
        ]
        self._say(f"{_images(rows)} {_is(rows)} {' and '.join(filter(None, done))}.")

    def _changed(self, rows: Sequence[Row]) -> None:
        self._screen.results.change(rows)
        self._screen.rows_changed()

    # The trash

    async def _throw(self, picked: Picked) -> None:
        rows = await self._rows(picked)
        if not rows:
            return
        thrown = await self._library.throw(rows)
        if thrown.ids:
            self._thrown.append(thrown)
            self._screen.search()
        if thrown.problems:
            self._complain(thrown.problems[0])
        else:
            self._say(f"{_images(rows)} {_is(rows)} in the trash; u brings {_them(rows)} back.")

    async def _undo(self, picked: Picked) -> None:
        if not self._thrown:
            self._say("Nothing was thrown away here that could be brought back.")
            return
        thrown = self._thrown.pop()
        try:
            problems = await self._library.restore(thrown)
        except LibraryError:
            self._thrown.append(thrown)
            raise
        self._screen.search()
        if problems:
            self._complain(problems[0])
        else:
            count = len(thrown.ids)
            self._say("The image is back." if count == 1 else f"{count:,} images are back.")

    # To the studio

    async def _recall(self, picked: Picked) -> None:
        row = await self._row(picked)
        if row is None:
            return
        from tui.screens.lists.recalling import WHATS, recall_into_studio

        app = self._screen.app
        taken = await app.push_screen_wait(Chooser("bring back to the studio", [
            Choice(name, title, summary) for name, title, summary in WHATS
        ]))  # fmt: skip
        what = next((name for name, _, _ in WHATS if name == taken), None)
        if what is None:
            return
        told = app.studio.query_one(MessageLine)
        before = told.text
        facts = await self._facts(row)
        if await recall_into_studio(app, Path(row.path), what, facts):
            app.ways.go("studio")
        elif told.text != before:
            self._screen.say(told.text, tone=told.tone)

    async def _facts(self, row: Row) -> ImageFacts | None:
        """What an image of another machine says; None for one of this machine, whose file is read when it is needed."""
        if not self._library.machine:
            return None
        told = await self._library.tell(told_by(row))
        if told.problem:
            raise LibraryError(told.problem)
        return told.facts

    async def _start_from(self, picked: Picked) -> None:
        row = await self._row(picked)
        if row is not None:
            (path,) = await self._files([row])
            self._screen.app.studio.starting.take_file(path)
            self._screen.app.ways.go("studio")

    async def _inspect(self, picked: Picked) -> None:
        row = await self._row(picked)
        if row is not None:
            self._say("Opening the run…")
            self._screen.app.inspecting.open(self._library.source(row))

    async def _vary(self, picked: Picked) -> None:
        row = await self._row(picked)
        if row is not None:
            (path,) = await self._files([row])
            self._screen.app.varying.open(path, self._screen.say)

    async def _compare(self, picked: Picked) -> None:
        rows, row = await self._rows(picked), await self._row(picked)
        if row is None:
            return
        if len(rows) == 1 and rows[0].id != row.id:
            rows = sorted((rows[0], row), key=lambda one: -one.created)
        if len(rows) < 2:
            self._say("Mark another image with Space first; F5 then lays it beside this one.")
            return
        paths = tuple(await self._files(rows))
        stays = next((path for path, one in zip(paths, rows, strict=True) if one.id == row.id), paths[0])
        self._screen.app.comparing.open_among(paths, stays)

    # Out of the program

    async def _copy(self, picked: Picked) -> None:
        rows = await self._rows(picked)
        if not rows:
            return
        texts = {name: "\n".join(filter(None, map(get, rows))) for name, (_, get) in _COPIES.items()}
        texts["scp"] = self._library.scp(rows)
        titles = {name: title for name, (title, _) in _COPIES.items()} | {
            "scp": "A line that fetches it by scp"
        }
        taken = await self._screen.app.push_screen_wait(Chooser("copy", [
            Choice(name, titles[name], _short(text)) for name, text in texts.items() if text
        ]))  # fmt: skip
        if taken is not None:
            from tui.term.clipboard import copy

            copy(self._screen.app, texts[taken])
            self._say("Copied.")

    async def _sheet(self, picked: Picked) -> None:
        rows = await self._rows(picked)
        if len(rows) < 2:
            self._say("Mark the images with Space first; m then makes one image of them.")
            return
        if len(rows) > _MOST_IN_SHEET:
            self._complain(f"At most {_MOST_IN_SHEET} images go into one; {len(rows):,} are marked.")
            return
        self._say(f"Putting {len(rows)} images together…")
        path = await self._library.sheet(rows)
        self._say(f"saved {home_path(path)}", f"saved {Path(path).name}")

    async def _export(self, picked: Picked) -> None:
        rows = await self._rows(picked)
        if not rows:
            return
        app = self._screen.app
        taken = await app.push_screen_wait(Chooser(f"export {_images(rows)}", [
            Choice(f"{suffix} {kept}", f"{title}, {kept} its recipe", about)
            for kept in ("with", "without") for suffix, (title, about) in _FORMATS.items()
        ]))  # fmt: skip
        if taken is None:
            return
        suffix, kept = taken.split()
        folder = await app.push_screen_wait(
            Ask("export", f"The folder for {_images(rows)}; it is made where there is none.",
                self._folder or "~/", suggester=FolderSuggester(), check=folder_fault)
        )  # fmt: skip
        if folder is None:
            return
        self._folder = folder
        self._say(f"Exporting {_images(rows)}…")
        target = Path(pasted_path(folder)).expanduser().absolute()
        paths = await self._files(rows)
        done, fault = await asyncio.to_thread(export_all, paths, target, suffix, kept == "with")
        where = home_path(str(target))
        if fault:
            self._complain(f"{done:,} of {len(rows):,} exported. {fault}")
        else:
            self._say(f"exported {_images(rows)} to {where}", f"exported to {where}")


def _images(rows: Sequence[Row]) -> str:
    return sanitise(Path(rows[0].path).name, newlines=False) if len(rows) == 1 else f"{len(rows):,} images"


def _has(rows: Sequence[Row]) -> str:
    return "has" if len(rows) == 1 else "have"


def _is(rows: Sequence[Row]) -> str:
    return "is" if len(rows) == 1 else "are"


def _them(rows: Sequence[Row]) -> str:
    return "it" if len(rows) == 1 else "them"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:119]}…"
