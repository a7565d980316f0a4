"""Files of another machine that come over a line that may break, and the room that their copies take."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sdcore.engine import bringing, far_files
from sdcore.engine import messages as m
from sdcore.engine.bringing import Bringing
from sdcore.engine.far_files import FarFiles
from sdcore.library.pruning import prune

FILE = bytes(range(256)) * 1000
PART = 100_000


class Box:
    """Gives out parts of one file, as far as it is let."""

    def __init__(self) -> None:
        self.files = FarFiles("box")
        self.told: list[m.FileBrought] = []
        self.offsets: list[int] = []
        self.let = asyncio.Event()
        self.let.set()
        self.problem = ""
        self.total = len(FILE)
        self.bringing = Bringing(self.files, self.ask, self.told.append)

    async def ask(self, path: str, offset: int) -> m.FilePart:
        self.offsets.append(offset)
        if offset:
            await self.let.wait()
        data = b"" if self.problem else FILE[offset : offset + PART]
        return m.FilePart(request=1, offset=offset, total=self.total, data=data, problem=self.problem)

    async def until(self, count: int) -> m.FileBrought:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                await asyncio.sleep(0.005)
        return self.told[-1]


@pytest.fixture
async def box() -> Box:
    return Box()


async def test_a_file_comes_in_parts_and_is_kept(box: Box) -> None:
    box.bringing.take(m.BringFile(request=1, path="/a/b.png", size=len(FILE)))
    last = await box.until(4)
    assert [one.done for one in box.told] == [100_000, 200_000, 256_000, 256_000]
    assert Path(last.copy).read_bytes() == FILE
    assert Path(last.copy).stat().st_mode & 0o777 == 0o600
    box.bringing.take(m.BringFile(request=2, path="/a/b.png", size=len(FILE)))
    assert (await box.until(5)).copy == last.copy
    assert len(box.offsets) == 3  # it was here
    box.bringing.take(m.BringFile(request=3, path="/a/b.png", size=len(FILE) - 1))
    await box.until(9)
    assert len(box.offsets) == 6  # that was another file


async def test_what_has_come_is_not_lost_with_the_line(box: Box) -> None:
    box.let.clear()
    box.bringing.take(m.BringFile(request=1, path="/a/b.png"))
    await box.until(1)
    box.bringing.pause()
    await asyncio.sleep(0)
    box.let.set()
    box.bringing.go_on()
    last = await box.until(4)
    assert Path(last.copy).read_bytes() == FILE
    assert box.offsets.count(0) == 1


async def test_what_nobody_waits_for_is_not_told(box: Box) -> None:
    box.let.clear()
    box.bringing.take(m.BringFile(request=1, path="/a/b.png"))
    await box.until(1)
    box.bringing.take(m.BringFile(request=1, path="/a/b.png", wanted=False))
    box.let.set()
    box.bringing.take(m.BringFile(request=2, path="/a/c.png"))
    await box.until(5)
    assert {one.request for one in box.told[1:]} == {2}


@pytest.mark.parametrize(
    ("path", "problem", "total", "said"),
    [
        ("/a/../b.png", "", 9, "cannot be kept here"),
        ("b.png", "", 9, "cannot be kept here"),
        ("/b.png", "It is gone.", 9, "It is gone."),
        ("/b.png", "", bringing.MOST_BYTES + 1, "too large"),
    ],
)
async def test_what_cannot_be_had_is_said(box: Box, path: str, problem: str, total: int, said: str) -> None:
    box.problem, box.total = problem, total
    box.bringing.take(m.BringFile(request=1, path=path))
    last = await box.until(1)
    assert said in last.problem
    assert last.copy == ""


def test_copies_take_so_much_room_and_no_more(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_files, "LIMIT", 2000)
    monkeypatch.setattr(far_files, "_PRUNE_EVERY", 0)
    files = FarFiles("box")
    for number in range(4):
        copy = files.keep(f"/{number}.png", bytes(700))
        os.utime(copy, (number, number))
    assert files.kept("/0.png") is None
    assert files.kept("/3.png", 700) is not None
    assert files.kept("/3.png", 701) is None


def test_nothing_goes_while_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(10))
    prune(tmp_path, 10)
    assert (tmp_path / "a").exists()
