"""What lies on the disks of the engine's machine, for clients on another one: images, models, LoRA files.

Three threads answer, so that none waits for a slower kind: questions of the index and parts of files, pictures, and
what may take seconds. None of them waits for the engine's libraries, or for a job.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from sdcore.engine import file_answers, stock
from sdcore.engine import library_answers as answers
from sdcore.engine import messages as m
from sdcore.engine.desk import Desk
from sdcore.engine.mailbox import Mailbox
from sdcore.library.catalogue import Catalogue
from sdcore.library.grounds import Grounds
from sdcore.library.index import Progress
from sdcore.library.index.keeper import Keeper, start_keeper

_log = logging.getLogger(__name__)

_NEWS_SECONDS: Final = 1.0
"""Between two looks at whether the index has changed."""
_MOST_THUMBS: Final = 256
"""That one client can wait for."""
_MOST_SIDE: Final = 1024

_Where = Literal["questions", "pictures", "errands"]
_Answer = Callable[[Catalogue, Any], m.LibraryEvent]

_ANSWERS: Final[dict[type, tuple[_Where, _Answer, Callable[..., m.LibraryEvent]]]] = {
    m.FindImages: ("questions", answers.find, m.ImagesFound),
    m.GetImages: ("questions", answers.known, m.ImagesKnown),
    m.GetTexts: ("questions", answers.texts, m.TextsRead),
    m.GetLists: ("questions", answers.lists, m.LibraryLists),
    m.MarkImages: ("questions", answers.mark, m.LibraryDone),
    m.AddFolder: ("errands", answers.add_folder, m.LibraryDone),
    m.KeepSearch: ("questions", answers.keep_search, m.LibraryDone),
    m.GetPicture: ("pictures", answers.picture, m.ThumbMade),
    m.ThrowImages: ("errands", answers.throw, m.ImagesThrown),
    m.RestoreImages: ("errands", answers.restore, m.LibraryDone),
    m.MakeSheet: ("errands", answers.sheet, m.LibraryDone),
}
"""Who answers a question, how, and with what where that fails in a way that nobody foresaw."""

_NEWEST_ALONE: Final = (m.FindImages, m.GetPicture, m.GetTexts)

AboutFiles = m.LibraryCommand | m.GetFile | m.ListModels | m.ListAddons | m.ListVaes
"""What is answered here."""


class _Watch:
    """Tells clients what has changed in the index, as long as there are any."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._told: dict[Mailbox, tuple[int, Progress] | None] = {}
        self._stop = threading.Event()
        self._some = threading.Event()
        self._thread = threading.Thread(target=self._run, name="library news", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, mailbox: Mailbox) -> None:
        """Tell this client, from what there is now on."""
        with self._lock:
            self._told[mailbox] = None
        self._look()
        self._some.set()

    def remove(self, mailbox: Mailbox) -> None:
        """Tell it no more."""
        with self._lock:
            self._told.pop(mailbox, None)
            if not self._told:
                self._some.clear()

    def stop(self) -> None:
        """Tell nobody anything."""
        self._stop.set()
        self._some.set()

    def _run(self) -> None:
        while not self._stop.wait(_NEWS_SECONDS):
            self._some.wait()
            self._look()

    def _look(self) -> None:
        news = self._catalogue.news()
        version, progress = news
        event = m.LibraryChanged(
            version=version, done=progress.done, total=progress.total, running=progress.running
        )
        with self._lock:
            for mailbox, told in self._told.items():
                if told != news:
                    mailbox.put(event)
                    self._told[mailbox] = news


class Librarian:
    """Answers clients about the disks of this machine. Its threads, and the process that keeps the index up to date,
    are begun when first they are needed."""

    def __init__(self, keeper: Callable[[], Keeper] = start_keeper) -> None:
        self._start_keeper = keeper
        self._lock = threading.Lock()
        self._desks: dict[_Where, Desk[Catalogue]] = {}
        self._watch: _Watch | None = None
        self._catalogue: Catalogue | None = None
        self._keeper: Keeper | None = None
        self._wanted: dict[Mailbox, list[m.ThumbMade]] = {}
        """The small copies that each client waits for, the next one last; without their data."""

    def take(self, command: AboutFiles, mailbox: Mailbox) -> None:
        """Have a question answered into `mailbox`. Returns at once."""
        match command:
            case m.GetFile():
                self._desk("questions").ask(mailbox, lambda _: file_answers.part(command))
            case m.ListModels():
                self._search(stock.ModelSearch(command.request), mailbox)
            case m.ListAddons():
                self._desk("errands").ask(
                    mailbox, lambda _: stock.list_addons(command), instead_of=m.ListAddons
                )
            case m.ListVaes():
                self._desk("errands").ask(mailbox, lambda _: stock.list_vaes(command), instead_of=m.ListVaes)
            case m.WatchLibrary():
                self._watch_library(command, mailbox)
            case m.GetThumbs():
                thumbs = [
                    m.ThumbMade(request=command.request, path=path, side=command.side)
                    for path in command.paths[:_MOST_THUMBS]
                ]
                with self._lock:
                    before = self._wanted.get(mailbox, []) if command.behind else []
                    self._wanted[mailbox] = [*thumbs[::-1], *before][-_MOST_THUMBS:]
                self._make_thumb(mailbox)
            case _:
                where, answer, kind = _ANSWERS[type(command)]
                self._desk(where).ask(
                    mailbox,
                    lambda catalogue: _guarded(kind, command, lambda: answer(catalogue, command)),
                    instead_of=type(command) if isinstance(command, _NEWEST_ALONE) else None,
                )

    def forget(self, mailbox: Mailbox) -> None:
        """A client has left."""
        with self._lock:
            self._wanted.pop(mailbox, None)
            desks, watch = tuple(self._desks.values()), self._watch
        for desk in desks:
            desk.forget(mailbox)
        if watch is not None:
            watch.remove(mailbox)

    def stop(self) -> None:
        """Answer no more. The keeper ends by itself."""
        with self._lock:
            desks, watch, keeper = tuple(self._desks.values()), self._watch, self._keeper
            catalogue, self._keeper = self._catalogue, None
        for desk in desks:
            desk.stop()
        if watch is not None:
            watch.stop()
        if catalogue is not None:
            catalogue.close()
        if keeper is not None:
            keeper.close(0.0)

    def _desk(self, where: _Where) -> Desk[Catalogue]:
        with self._lock:
            if where not in self._desks:
                self._desks[where] = desk = Desk[Catalogue](f"library {where}")
                desk.use(self._shared())
                desk.start()
            return self._desks[where]

    def _shared(self) -> Catalogue:
        """The catalogue; the lock is held."""
        if self._catalogue is None:
            self._catalogue = Catalogue()
        return self._catalogue

    def _watch_library(self, command: m.WatchLibrary, mailbox: Mailbox) -> None:
        with self._lock:
            if self._watch is None:
                self._watch = _Watch(self._shared())
                self._watch.start()
            watch = self._watch
        change = watch.add if command.on else watch.remove
        self._desk("questions").ask(mailbox, lambda _: change(mailbox))
        self._desk("errands").ask(mailbox, lambda _: self._have_keeper(), instead_of=m.WatchLibrary)

    def _have_keeper(self) -> None:
        with self._lock:
            if self._keeper is None or not self._keeper.alive:
                with contextlib.suppress(OSError):  # what was known before is shown without one
                    self._keeper = self._start_keeper()

    def _search(self, search: stock.ModelSearch, mailbox: Mailbox) -> None:
        def answer(_: Catalogue) -> m.AnyEvent:
            found = search.go_on()
            if not search.done:
                self._search(search, mailbox)
            return found

        self._desk("errands").ask(mailbox, answer, instead_of=m.ListModels)

    def _make_thumb(self, mailbox: Mailbox) -> None:
        """Make the next one that a client waits for: one at a time, so that others have their turns."""

        def answer(_: Catalogue) -> m.AnyEvent | None:
            with self._lock:
                wanted = self._wanted.get(mailbox)
                if not wanted:
                    return None
                thumb = wanted.pop()
            self._make_thumb(mailbox)
            return _with_data(thumb)

        self._desk("pictures").ask(mailbox, answer, instead_of=m.GetThumbs)


def _with_data(thumb: m.ThumbMade) -> m.ThumbMade:
    try:
        data = answers.small_copy(Grounds().real(thumb.path), max(1, min(thumb.side, _MOST_SIDE)))
    except Exception:  # decoders raise nearly anything on a damaged file
        _log.exception("an image could not be made smaller")
        return thumb
    return msgspec.structs.replace(thumb, data=data)


def _guarded(kind: Callable[..., Any], asked: m.LibraryCommand, answer: Callable[[], Any]) -> Any:
    """An answer, or that there is none: one file that is cleverer than its reader must not end the thread."""
    try:
        return answer()
    except Exception as fault:
        _log.exception("the library could not answer")
        problem = f"The library could not answer ({type(fault).__name__}); see the engine's log."
        return kind(request=asked.request, problem=problem)
