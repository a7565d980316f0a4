"""What a client on another machine asks of the engine's library, and what it is told of it.

Paths are bytes, for names of files need not be text. Lists of images are packed (`sdcore.engine.packing`), since a
screen full of them has to come over a slow line while a person types.
"""

from __future__ import annotations

import msgspec

from sdcore.engine.messages.commands import Command
from sdcore.engine.messages.events import Event


class LibraryCommand(Command, frozen=True):
    """What is asked of the library. The answer has the same `request`."""

    request: int


class LibraryEvent(Event, frozen=True):
    """An answer of the library. `problem` is a sentence where there is none."""

    request: int
    problem: str = ""


class WatchLibrary(LibraryCommand, frozen=True):
    """Have `LibraryChanged` told, now and whenever that is another one, until it is sent with `on=False`."""

    on: bool = True


class FindImages(LibraryCommand, frozen=True):
    """Ask for `count` ids, from place `first` on, of the images that fit a search (see `spec.search`), and for what is
    known of the first `rows` of these. Where the image with the id `at` is found elsewhere, the ids around it are
    meant. Of one client the newest search alone is answered. Answered by `ImagesFound`."""

    text: str
    first: int = 0
    count: int = 0
    at: int = 0
    rows: int = 0


class GetImages(LibraryCommand, frozen=True):
    """Ask for what is known of images; with long prompts cut short unless it is to be `whole`. Answered by
    `ImagesKnown`."""

    ids: tuple[int, ...]
    whole: bool = False


class GetTexts(LibraryCommand, frozen=True):
    """Ask for what the file of an image says. Answered by `TextsRead`."""

    path: bytes


class GetThumbs(LibraryCommand, frozen=True):
    """Ask for small copies of images, `side` pixels the longer side at most. A `ThumbMade` follows for each, in this
    order. Those of the question before that are not made yet are not made any more, unless these are wanted `behind`
    them."""

    side: int
    paths: tuple[bytes, ...]
    behind: bool = False


class GetPicture(LibraryCommand, frozen=True):
    """Ask for a copy of one image, as `GetThumbs` does, which it leaves alone; of one client the newest such question
    alone is answered. Answered by `ThumbMade`."""

    side: int
    path: bytes


class GetLists(LibraryCommand, frozen=True):
    """Ask for all tags, saved searches and folders. Answered by `LibraryLists`."""


class MarkImages(LibraryCommand, frozen=True):
    """Give images a star or take it away (None: neither), give them `new` tags and take `old` ones. Answered by
    `LibraryDone`."""

    paths: tuple[bytes, ...]
    star: bool | None = None
    new: tuple[str, ...] = ()
    old: tuple[str, ...] = ()


class ThrowImages(LibraryCommand, frozen=True):
    """Move images into the trash. Answered by `ImagesThrown`."""

    paths: tuple[bytes, ...]


class RestoreImages(LibraryCommand, frozen=True):
    """Put back what was thrown away at once, named as `ImagesThrown` named it. Answered by `LibraryDone`."""

    thrown: str


class KeepSearch(LibraryCommand, frozen=True):
    """Save a search under a name; without a `query`, forget it. Answered by `LibraryDone`."""

    name: str
    query: str | None = None


class AddFolder(LibraryCommand, frozen=True):
    """Have the images of a folder in the library, too; with `on=False`, no longer. Answered by `LibraryDone`."""

    folder: str
    on: bool = True


class MakeSheet(LibraryCommand, frozen=True):
    """Save images as one, among the outputs. Answered by `LibraryDone`."""

    paths: tuple[bytes, ...]


class LibraryChanged(Event, frozen=True):
    """The index has another `version` than before, or its keeper is elsewhere: it has read `done` of the `total` new
    files in a folder, and goes on if it is `running`."""

    version: int
    done: int = 0
    total: int = 0
    running: bool = False


class ImagesFound(LibraryEvent, frozen=True):
    """The answer to `FindImages`: `count` of all `total` images fit, and `ids` and `rows`, packed, are those from place
    `first` on. `at` is the place of the image that was asked for, -1 where it is not found."""

    version: int = 0
    count: int = 0
    total: int = 0
    at: int = -1
    first: int = 0
    ids: bytes = b""
    rows: bytes = b""


class ImagesKnown(LibraryEvent, frozen=True):
    """The answer to `GetImages`: as many rows, packed, as fit into one message, in the order of the question without
    those that are gone; the first `seen` of its ids are dealt with."""

    rows: bytes = b""
    seen: int = 0


class TextsRead(LibraryEvent, frozen=True):
    """The answer to `GetTexts`: the file's texts, packed, the size of its picture in pixels, its own in bytes, and the
    time of its last change in epoch seconds."""

    texts: bytes = b""
    width: int = 0
    height: int = 0
    size: int = 0
    changed: float = 0.0


class ThumbMade(LibraryEvent, frozen=True):
    """A small copy of the image at `path`, as a WebP file; empty where it cannot be read, or be handed out."""

    path: bytes = b""
    side: int = 0
    data: bytes = b""


class LibraryLists(LibraryEvent, frozen=True):
    """The answer to `GetLists`: tags in the order of the alphabet, what is searched for by name, the folder of the
    outputs, and those that were added to it."""

    tags: tuple[str, ...] = ()
    searches: dict[str, str] = msgspec.field(default_factory=dict)
    outputs: str = ""
    folders: tuple[str, ...] = ()


class ImagesThrown(LibraryEvent, frozen=True):
    """The answer to `ThrowImages`: which of them lie in the trash now, and the name by which they are restored, ""
    where none does. `problems` are sentences about the others."""

    thrown: str = ""
    gone: tuple[bytes, ...] = ()
    problems: tuple[str, ...] = ()


class LibraryDone(LibraryEvent, frozen=True):
    """It is done, or could not be; `path` is the file that came of it, if one did."""

    path: bytes = b""
