"""What a client makes of the library of another machine, also of one that does not answer as it should."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable
from pathlib import Path

import pytest

from sdcore.engine import messages as m
from sdcore.engine.packing import pack_ids, pack_rows
from sdcore.library.index import Row
from tui.line.far_library import FarLibrary
from tui.line.far_thumbs import SIDES, Copies, Key, side_for
from tui.line.library import LibraryError
from tui.scp_line import far_scp_line

ROW = Row(id=1, path="/box/a b.png", width=8, height=8, bytes=5, created=1.0)
DONE = m.LibraryDone(request=0)


class Line:
    """Answers everything with the same, under the number that was asked for."""

    def __init__(self, answer: m.LibraryEvent | None = None) -> None:
        self.library = FarLibrary(self.send, "box")
        self.answer = answer
        self.sent: list[m.AnyCommand] = []

    def send(self, command: m.AnyCommand) -> None:
        self.sent.append(command)
        if self.answer is not None and isinstance(command, m.LibraryCommand):
            fields = {name: getattr(self.answer, name) for name in self.answer.__struct_fields__}
            event = type(self.answer)(**{**fields, "request": command.request})
            asyncio.get_running_loop().call_soon(self.library.handle, event)  # type: ignore[arg-type]


def found(**fields: object) -> m.ImagesFound:
    rows, _ = pack_rows([ROW])
    usual = {
        "version": 1,
        "count": 3,
        "total": 3,
        "ids": pack_ids(array("q", [9, 8])),
        "rows": rows,
        "first": 1,
    }
    return m.ImagesFound(request=0, **{**usual, **fields})  # type: ignore[arg-type]


async def test_a_part_of_what_is_found() -> None:
    told = await Line(found(at=2)).library.search("x", (0, 9))
    assert told is not None
    assert (told.count, told.total, list(told.ids), told.first, told.at) == (3, 3, [9, 8], 1, 2)
    assert told.rows == (ROW,)


@pytest.mark.parametrize(
    "answer",
    [
        found(ids=b"x"),
        found(rows=b"x"),
        found(problem="The library could not answer (KeyError); see the engine's log."),
        DONE,
    ],
)
async def test_what_is_no_answer_changes_nothing(answer: m.LibraryEvent) -> None:
    assert await Line(answer).library.search("x", (0, 9)) is None


async def test_a_number_that_nobody_can_hold_is_not_believed() -> None:
    told = await Line(found(count=2**60, total=2**62, first=-5, at=2**59)).library.search("x", (0, 9))
    assert told is not None
    assert told.count == 10_000_000
    assert (told.first, told.at) == (0, None)


@pytest.mark.parametrize(
    "answer", [m.ImagesKnown(request=0, seen=0), m.ImagesKnown(request=0, seen=1, rows=b"x"), DONE]
)
async def test_rows_that_do_not_come(answer: m.LibraryEvent) -> None:
    library = Line(answer).library
    assert await library.rows([1]) == []
    with pytest.raises(LibraryError):
        await library.whole_rows([1])


async def test_what_went_wrong_there_is_said_here() -> None:
    library = Line(m.LibraryDone(request=0, problem="No.")).library
    with pytest.raises(LibraryError, match=r"No\."):
        await library.mark([ROW], star=True)
    with pytest.raises(LibraryError, match=r"No\."):
        await library.keep_search("a", "b")


@pytest.mark.parametrize("end", [m.LineLost(message="It broke."), m.EngineFailed(message="It broke.")])
async def test_nobody_waits_for_a_line_that_broke(end: m.AnyEvent) -> None:
    line = Line()
    asking = asyncio.create_task(line.library.mark([ROW], star=True))
    bringing = asyncio.create_task(line.library.bring(ROW))
    await asyncio.sleep(0)
    before = await line.library.news()
    line.library.handle(end)
    with pytest.raises(LibraryError, match="It broke"):
        await asking
    assert line.library.trouble == "It broke."
    assert await line.library.news() == before  # nothing is looked for while nobody answers
    line.library.open()
    line.library.handle(m.LineBack())
    assert line.library.trouble == ""
    assert await line.library.news() != before
    assert isinstance(line.sent[-1], m.WatchLibrary)
    if isinstance(end, m.LineLost):  # a file goes on over the next line
        (number,) = (one.request for one in line.sent if isinstance(one, m.BringFile))
        line.library.handle(m.FileBrought(request=number, copy="/here/a.png"))
        assert await bringing == Path("/here/a.png")
    else:
        with pytest.raises(LibraryError):
            await bringing


async def test_a_file_that_nobody_waits_for_is_not_brought_on() -> None:
    line = Line()
    shares: list[float] = []
    bringing = asyncio.create_task(line.library.bring(ROW, shares.append))
    await asyncio.sleep(0)
    (command,) = line.sent
    assert isinstance(command, m.BringFile)
    assert (command.path, command.size) == (ROW.path, ROW.bytes)
    line.library.handle(m.FileBrought(request=command.request, done=1, total=4))
    bringing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bringing
    assert shares == [0.25]
    assert line.sent[-1] == m.BringFile(request=command.request, path=ROW.path, wanted=False)


def images() -> Iterable[bytes]:
    yield b""
    yield b"no image"
    yield b"\x89PNG\r\n\x1a\n"


def test_a_copy_that_is_no_image_is_none(private_home: Path) -> None:
    copies = Copies("box")
    for place, data in enumerate(images()):
        key = Key(f"/{place}.png", 0.0, 64)
        copies.keep(key, data)
        assert copies.image(key) is None
    assert copies.those_here([Key("/1.png", 0.0, 64), Key("/1.png", 1.0, 64)]) == [Key("/1.png", 0.0, 64)]
    assert Copies("another").those_here([Key("/1.png", 0.0, 64)]) == []
    kept = list((private_home / "cache").rglob("*.webp"))
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_the_smallest_copy_that_fills_the_box() -> None:
    assert [side_for(box) for box in ((40, 64), (65, 8), (5000, 1))] == [64, 128, SIDES[-1]]


@pytest.mark.parametrize(
    ("machine", "line"),
    [
        ("box", "scp 'box:/a b.png' ."),
        ("me@box", "scp 'me@box:/a b.png' ."),
        ("ssh://me@box:2222", "scp -P 2222 'me@box:/a b.png' ."),
        ("me@box:2222", "scp -P 2222 'me@box:/a b.png' ."),
        ("me@[fe80::1]", "scp 'me@[fe80::1]:/a b.png' ."),
    ],
)
def test_the_line_that_fetches_a_file(machine: str, line: str) -> None:
    assert far_scp_line(machine, ["/a b.png"]) == line
