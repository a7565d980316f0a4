"""The filmstrip: order, choice, scrolling, and files that are no images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from textual.app import App, ComposeResult

from tui.term.pacing import Purse
from tui.widgets.filmstrip import Filmstrip, thumbnail


class Host(App[None]):
    """Nothing but a filmstrip of 5 rows, that is thumbnails of 10 cells 12 apart."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield Filmstrip("No images yet.")

    @property
    def strip(self) -> Filmstrip:
        return self.query_one(Filmstrip)

    def on_filmstrip_chosen(self, message: Filmstrip.Chosen) -> None:
        self.heard.append(("chosen", message.path.name))

    def on_filmstrip_highlighted(self, message: Filmstrip.Highlighted) -> None:
        self.heard.append(("highlighted", message.path.name))


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "abcdefgh"]
    for shade, path in enumerate(paths):
        Image.new("RGB", (64, 64), (30 * shade, 0, 255)).save(path)
    return paths


def row(app: Host, y: int) -> list[tuple[str, tuple[int, ...] | None]]:
    """(character, background) of each cell of a line of the screen."""
    cells = []
    for text, style, _ in app.screen._compositor.render_strips()[y]:
        colour = style.bgcolor if style else None
        cells += [(character, tuple(colour.get_truecolor()) if colour else None) for character in text]
    return cells


async def test_thumbnails_appear_newest_first(images: list[Path]) -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        assert "No images yet." in "".join(character for character, _ in row(app, 0))
        app.strip.set_paths(images[:2])
        await app.workers.wait_for_complete()
        await pilot.pause()
        line = row(app, 2)
        assert line[1][1] == line[10][1] == (0, 0, 255)
        assert line[13][1] == line[22][1]
        assert line[13][1] != line[1][1]
        assert (line[0][0], line[11][0]) == ("▐", "▌")


async def test_keys_move_and_take_the_choice(images: list[Path]) -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        app.strip.set_paths(images)
        app.strip.focus()
        await pilot.press("right", "right", "left", "enter", "left", "left", "end", "home")
        assert app.heard == [
            ("highlighted", "b.png"),
            ("highlighted", "c.png"),
            ("highlighted", "b.png"),
            ("chosen", "b.png"),
            ("highlighted", "a.png"),
            ("highlighted", "h.png"),
            ("highlighted", "a.png"),
        ]


async def test_the_choice_stays_in_view(images: list[Path]) -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        app.strip.set_paths(images)
        app.strip.focus()
        for _ in images:
            assert "▐" in "".join(character for character, _ in row(app, 2))
            await pilot.press("right")
        assert app.strip.highlighted == images[-1]
        assert "▌" in "".join(character for character, _ in row(app, 2))


async def test_a_new_image_comes_first_and_the_choice_stays(images: list[Path]) -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        app.strip.set_paths(images[2:4])
        app.strip.add(images[1])
        assert app.strip.highlighted == images[1]
        app.strip.focus()
        await pilot.press("right")
        app.strip.add(images[0])
        app.strip.add(images[0])
        assert app.strip.highlighted == images[2]
        assert list(app.strip.paths) == images[:4]
        app.strip.set_paths(images[:3])
        assert app.strip.highlighted == images[2]
        app.strip.set_paths(images[4:6])
        assert app.strip.highlighted == images[4]


async def test_a_click_moves_and_a_second_takes(images: list[Path]) -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        app.strip.set_paths(images[:3])
        await pilot.click(Filmstrip, offset=(15, 2))
        await pilot.click(Filmstrip, offset=(15, 2))
        assert app.heard == [("highlighted", "b.png"), ("chosen", "b.png")]


async def test_a_click_beside_the_images_does_nothing(images: list[Path]) -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        app.strip.set_paths(images[:1])
        await pilot.click(Filmstrip, offset=(30, 2))
        assert app.heard == []


async def test_hostile_files_keep_a_quiet_place(tmp_path: Path, images: list[Path]) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        app.strip.set_paths([bad, images[0], tmp_path / "gone.png"])
        await app.workers.wait_for_complete()
        await pilot.pause()
        text = "".join(character for character, _ in row(app, 2))
        assert text.count("×") == 2
        assert row(app, 2)[14][1] == (0, 0, 255)


async def test_another_height_makes_other_thumbnails(images: list[Path]) -> None:
    app = Host()
    async with app.run_test(size=(40, 8)) as pilot:
        app.strip.set_paths(images[:1])
        for height in (3, 6):
            app.strip.styles.height = height
            await pilot.pause()
            await app.workers.wait_for_complete()
            await pilot.pause()
            line = row(app, 1)
            assert [cell[0] for cell in line].index("▌") == 2 * height + 1
            assert line[2 * height][1] == (0, 0, 255)


def test_a_thumbnail_keeps_the_aspect(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (200, 50), "red").save(path)
    lines = thumbnail(path, 5, 10, "truecolor")
    assert lines is not None
    assert [sum(segment.cell_length for segment in line) for line in lines] == [10]


def test_neither_pipes_nor_bombs_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    assert thumbnail(pipe, 5, 10, "truecolor") is None
    large = tmp_path / "large.png"
    Image.new("1", (300, 300)).save(large)
    assert thumbnail(large, 5, 10, "truecolor") is not None
    monkeypatch.setattr("tui.widgets.filmstrip._MAX_PIXELS", 300 * 300 - 1)
    assert thumbnail(large, 5, 10, "truecolor") is None
    monkeypatch.setattr("tui.widgets.filmstrip._MAX_BYTES", 10)
    assert thumbnail(large, 5, 10, "truecolor") is None


def test_formats_nobody_asked_for_stay_closed(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(path, format="PPM")
    assert thumbnail(path, 5, 10, "truecolor") is None


async def test_where_bytes_are_dear_a_new_image_waits_for_a_rest_and_is_coarse_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(app: Host) -> int:
        """How many colours the first thumbnail is drawn in."""
        return len({colour for y in range(5) for _, colour in row(app, y)[1:11]})

    path = tmp_path / "gradient.png"
    Image.linear_gradient("L").rotate(90).convert("RGB").save(path)
    monkeypatch.setattr("tui.term.pacing.REST", 0.3)
    app = Host()
    app.low_bandwidth, app.purse = True, Purse()  # type: ignore[attr-defined]
    async with app.run_test(size=(40, 6)) as pilot:
        app.purse.spend(1)  # type: ignore[attr-defined]
        app.strip.add(path)
        await pilot.pause()
        assert not app.workers
        monkeypatch.setattr("tui.widgets.filmstrip._LATEST", 0.0)
        app.strip.set_paths([path])
        await app.workers.wait_for_complete()
        await pilot.pause()
        coarse = drawn(app)
        assert coarse > 1
        for _ in range(100):
            await pilot.pause(0.05)
            if drawn(app) > coarse:
                break
        assert drawn(app) > coarse
