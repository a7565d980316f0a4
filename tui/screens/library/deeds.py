"""What the library does with images: those that are marked, or else the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sdcore.library import marks as marks_file
from sdcore.library.trash import Thrown, TrashError, throw, undo
from sdcore.spec.sanitise import sanitise
from tui.files import pasted_path
from tui.image_text import home_path
from tui.scp_line import scp_line
from tui.screens.lists.ask import Ask, FolderSuggester, WordSuggester
from tui.screens.lists.chooser import Choice, Chooser
from tui.widgets.status import MessageLine

if TYPE_CHECKING:
    from sdcore.library.index import Row
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

Deed = Callable[[], Awaitable[None]]


class Deeds:
    """Does what the keys of the library name. Files are read and written on threads."""

    def __init__(self, screen: LibraryScreen) -> None:
        self._screen = screen
        self._thrown: list[tuple[Thrown, list[int]]] = []
        self._folder = ""
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
            "searches": screen.finding.searches,
            "folders": screen.finding.folders,
        }

    def do(self, name: str) -> None:
        """Do one of them."""
        self._screen.run_worker(self._do(name), group="choose", exclusive=True)

    async def _do(self, name: str) -> None:
        await self._deeds[name]()

    # What they are done with

    async def _rows(self) -> list[Row]:
        """The marked images in their order, or the one under the cursor; says so where there is none."""
        screen = self._screen
        ids = [one for one in screen.results.ids if one in screen.marks] if len(screen.marks) else []
        if not ids and len(screen.results):
            ids = [screen.results.ids[screen.grid.cursor]]
        rows = await screen.results.rows_of(ids)
        if not rows:
            screen.say("There is no image here to do that with.")
        return rows

    async def _row(self) -> Row | None:
        """The image under the cursor."""
        screen = self._screen
        if not len(screen.results):
            screen.say("There is no image here to do that with.")
            return None
        rows = await screen.results.rows_of([screen.results.ids[screen.grid.cursor]])
        return rows[0] if rows else None

    def _say(self, *wordings: str) -> None:
        self._screen.say(*wordings)

    def _complain(self, fault: Exception | str) -> None:
        self._screen.say(str(fault), tone="alert")

    # Stars and tags

    async def _star(self) -> None:
        rows = await self._rows()
        if not rows:
            return
        on = not all(row.star for row in rows)
        if await self._marked(marks_file.set_star, rows, on):
            self._changed([msgspec.structs.replace(row, star=on) for row in rows])
            self._say(f"{_images(rows)} {_has(rows)} {'a star' if on else 'no star any more'}.")

    async def _tag(self) -> None:
        rows = await self._rows()
        if not rows:
            return
        known = await self._screen.results.tags()
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
        if new and not await self._marked(marks_file.add_tags, rows, new):
            return
        if old and not await self._marked(marks_file.remove_tags, rows, old):
            return
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

    async def _marked(
        self, change: Callable[..., None], rows: Sequence[Row], value: bool | Sequence[str]
    ) -> bool:
        try:
            await asyncio.to_thread(change, [row.path for row in rows], value)
        except marks_file.MarksError as fault:
            self._complain(fault)
            return False
        return True

    def _changed(self, rows: Sequence[Row]) -> None:
        self._screen.results.change(rows)
        self._screen.rows_changed()

    # The trash

    async def _throw(self) -> None:
        rows = await self._rows()
        if not rows:
            return
        try:
            thrown = await asyncio.to_thread(throw, [row.path for row in rows])
        except TrashError as fault:
            self._complain(fault)
            return
        gone = {one.origin for one in thrown.moved}
        ids = [row.id for row in rows if row.path in gone]
        if ids:
            self._thrown.append((thrown, ids))
            self._screen.results.hide(ids)
            self._screen.search()
        if thrown.problems:
            self._complain(thrown.problems[0])
        else:
            self._say(f"{_images(rows)} {_is(rows)} in the trash; u brings {_them(rows)} back.")

    async def _undo(self) -> None:
        if not self._thrown:
            self._say("Nothing was thrown away here that could be brought back.")
            return
        thrown, ids = self._thrown.pop()
        restored = await asyncio.to_thread(undo, thrown)
        self._screen.results.show_again(ids)
        self._screen.search()
        if restored.problems:
            self._complain(restored.problems[0])
        else:
            count = len(ids)
            self._say("The image is back." if count == 1 else f"{count:,} images are back.")

    # To the studio

    async def _recall(self) -> None:
        row = await self._row()
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
        if await recall_into_studio(app, Path(row.path), what):
            app.ways.go("studio")
        elif told.text != before:
            self._screen.say(told.text, tone=told.tone)

    async def _start_from(self) -> None:
        row = await self._row()
        if row is not None:
            self._screen.app.studio.starting.take_file(Path(row.path))
            self._screen.app.ways.go("studio")

    async def _inspect(self) -> None:
        row = await self._row()
        if row is not None:
            self._say("Opening the run…")
            self._screen.app.inspecting.open(str(Path(row.path).resolve()))

    async def _vary(self) -> None:
        row = await self._row()
        if row is not None:
            self._screen.app.varying.open(Path(row.path), self._screen.say)

    async def _compare(self) -> None:
        rows, row = await self._rows(), await self._row()
        if row is None:
            return
        if len(rows) == 1 and rows[0].id != row.id:
            rows = sorted((rows[0], row), key=lambda one: -one.created)
        if len(rows) < 2:
            self._say("Mark another image with Space first; F5 then lays it beside this one.")
            return
        paths = tuple(Path(one.path) for one in rows)
        stays = Path(row.path) if Path(row.path) in paths else paths[0]
        self._screen.app.comparing.open_among(paths, stays)

    # Out of the program

    async def _copy(self) -> None:
        rows = await self._rows()
        if not rows:
            return
        texts = {name: "\n".join(filter(None, map(get, rows))) for name, (_, get) in _COPIES.items()}
        texts["scp"] = scp_line(row.path for row in rows)
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

    async def _sheet(self) -> None:
        rows = await self._rows()
        if len(rows) < 2:
            self._say("Mark the images with Space first; m then makes one image of them.")
            return
        if len(rows) > _MOST_IN_SHEET:
            self._complain(f"At most {_MOST_IN_SHEET} images go into one; {len(rows):,} are marked.")
            return
        self._say(f"Putting {len(rows)} images together…")
        from sdcore.library.outputs import OutputError

        try:
            path = await asyncio.to_thread(_make_sheet, [Path(row.path) for row in rows])
        except (OutputError, MemoryError, OSError) as fault:
            self._complain(str(fault) or "There is not enough memory to put so many images together.")
            return
        self._say(f"saved {home_path(str(path))}", f"saved {path.name}")

    async def _export(self) -> None:
        rows = await self._rows()
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
                self._folder or "~/", suggester=FolderSuggester(), check=_folder_fault)
        )  # fmt: skip
        if folder is None:
            return
        self._folder = folder
        self._say(f"Exporting {_images(rows)}…")
        target = Path(pasted_path(folder)).expanduser().absolute()
        done, fault = await asyncio.to_thread(
            _export, [Path(row.path) for row in rows], target, suffix, kept == "with"
        )
        where = home_path(str(target))
        if fault:
            self._complain(f"{done:,} of {len(rows):,} exported. {fault}")
        else:
            self._say(f"exported {_images(rows)} to {where}", f"exported to {where}")


def _make_sheet(paths: list[Path]) -> Path:
    """Save the images as one, as near to a square as goes, and say where."""
    from sdcore.library.grids import Grid, draw_grid
    from sdcore.library.outputs import save_png

    columns = max(1, round(len(paths) ** 0.5))
    rows = -(-len(paths) // columns)
    cells = {(place % columns, place // columns, 0): path for place, path in enumerate(paths)}
    sheet = draw_grid(Grid(columns=("",) * columns, rows=("",) * rows, pages=("",), cells=cells))
    return save_png(sheet, {}, f"sheet-of-{len(paths)}")


def _folder_fault(text: str) -> str:
    """Why nothing can be exported into a folder, in one sentence, or ""; it is made where there is none."""
    shown = sanitise(text, newlines=False)[:200]
    try:
        folder = Path(pasted_path(text)).expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return f"{shown} is a file; name a folder."
    except (OSError, ValueError, RuntimeError) as fault:
        reason = getattr(fault, "strerror", None) or "check the path"
        return f"{shown} cannot be used: {sanitise(str(reason), newlines=False)}."
    return ""


def _export(paths: Sequence[Path], folder: Path, suffix: str, keep: bool) -> tuple[int, str]:
    """Export images under their own names, or the next free ones; how many, and what was wrong with the last."""
    from sdcore.library.exporting import SUFFIXES, ExportError, export
    from sdcore.library.metadata import MetadataError

    done, problem = 0, ""
    for path in paths:
        target, number = folder / f"{path.stem}.{suffix}", 2
        while target.exists():
            target, number = folder / f"{path.stem}-{number}.{suffix}", number + 1
        try:
            export(path, target, SUFFIXES[f".{suffix}"], keep_metadata=keep)
            done += 1
        except (ExportError, MetadataError, OSError) as fault:
            problem = str(fault)
    return done, problem


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
