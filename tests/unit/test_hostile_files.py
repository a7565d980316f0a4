"""Files that are none, that lie about themselves or never end, in every folder that is looked through: each is skipped,
with a sentence at most."""

from __future__ import annotations

import json
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdcore.library import (
    checkpoints,
    config,
    exif,
    headers,
    outputs,
    paths,
    styles,
    thumbnails,
    wildcard_files,
)
from sdcore.library.addons import find_addons
from sdcore.library.folders import find_files
from sdcore.library.hashes import HashError, sha256_of
from sdcore.library.index import Index, keeping, watching
from sdcore.library.index.reading import read
from sdcore.library.index.scanning import Stamp, walk
from sdcore.library.inputs import InputError, read_input
from sdcore.library.metadata import MetadataError, read_pixels, read_texts
from sdcore.library.wildcards import Wildcards
from sdcore.weights import HeaderError, check_weights
from tests.library_files import keeping as kept
from tests.library_files import until, write_image

SECONDS = 20.0


@pytest.fixture(autouse=True)
def nothing_is_waited_for(tmp_path: Path) -> Iterator[None]:
    """Who waits for a pipe would do so for ever: after a while one is opened at its other end, and the test fails."""
    waited = threading.Event()

    def rescue() -> None:
        waited.set()
        for pipe in tmp_path.rglob("*"):
            if pipe.is_fifo():
                os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))

    timer = threading.Timer(SECONDS, rescue)
    timer.start()
    yield
    timer.cancel()
    assert not waited.is_set()


def _sparse(path: Path) -> None:
    write_image(path, prompt="two gigabytes")
    os.truncate(path, 2 << 30)


def _empty(path: Path) -> None:
    path.touch()
    os.truncate(path, 2 << 30)


def _locked(path: Path) -> None:
    write_image(path, prompt="x").chmod(0)


def _chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    said = len(data) if length is None else length
    return struct.pack(">I", said) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(*chunks: bytes, width: int = 8, height: int = 8) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = _chunk(b"IDAT", zlib.compress(b"\0" * (8 * 25)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + rows + _chunk(b"IEND", b"")


def _bomb(size: int) -> bytes:
    return _chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"\0" * size, 9))


MONSTERS: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a terminal": lambda path: path.symlink_to("/dev/tty"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": lambda path: path.mkdir(),
    "an empty file": lambda path: path.touch(),
    "2 GB, sparse": _sparse,
    "2 GB of nothing": _empty,
    "a chunk of 4 GB": lambda path: path.write_bytes(_png(_chunk(b"tEXt", b"parameters\0x", 0xFFFFFFFF))),
    "a picture of 4 G pixels": lambda path: path.write_bytes(_png(width=65536, height=65536)),
    "a picture of no pixels": lambda path: path.write_bytes(_png(width=0, height=0)),
    "a bomb": lambda path: path.write_bytes(_png(_bomb(1 << 28))),
    "many bombs": lambda path: path.write_bytes(_png(*[_bomb(1 << 20)] * 2000)),
    "pixels that are a bomb": lambda path: path.write_bytes(_png(_chunk(b"IDAT", zlib.compress(bytes(1 << 28))))),
    "nobody may read it": _locked,
}  # fmt: skip


def refused(look: Callable[[Path], object], path: Path) -> str | None:
    try:
        look(path)
    except (MetadataError, InputError) as fault:
        return str(fault)
    return None


@pytest.mark.parametrize("monster", MONSTERS)
def test_an_image_is_read_or_refused_in_a_sentence(monster: str, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    MONSTERS[monster](path)
    for look in (read_texts, read_pixels, read_input):
        said = refused(look, path)
        assert said is None or (said.endswith(".") and "\n" not in said)
    assert read(str(tmp_path), "x.png", Stamp(1, 1)).name == "x.png"
    thumbnails.thumbnail(path, (64, 64))


def test_a_folder_of_them_all(tmp_path: Path) -> None:
    for number, make in enumerate(MONSTERS.values()):
        make(tmp_path / f"{number}.png")
    for suffix in ("safetensors", "ckpt", "pt", "txt"):
        os.mkfifo(tmp_path / f"pipe.{suffix}")
        (tmp_path / f"zero.{suffix}").symlink_to("/dev/zero")
        (tmp_path / f"loop.{suffix}").symlink_to(f"loop.{suffix}")
    (tmp_path / "round").symlink_to(tmp_path)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    try:
        folders = [place.folder for place in walk(str(tmp_path), lambda path: False, lambda: False)]
        assert len(folders) == len(set(folders)) <= 4
        assert find_files("checkpoint", folders=[str(tmp_path)]) == []
        assert find_addons([str(tmp_path)]) == []
        assert not [model for model in checkpoints.models_in(tmp_path) if not model.problem]
        assert all(not Wildcards(tmp_path)(name) for name in Wildcards(tmp_path).files())
    finally:
        locked.chmod(0o700)


@pytest.mark.parametrize("monster", ["a pipe", "a device", "a link to itself"])
def test_weights_styles_and_wildcards_that_are_no_files(monster: str, tmp_path: Path) -> None:
    make = MONSTERS[monster]
    for name in ("w.safetensors", "styles.csv"):
        make(tmp_path / name)
    make(paths.wildcards_dir() / "w.txt")
    with pytest.raises(HeaderError):
        check_weights(tmp_path / "w.safetensors")
    with pytest.raises(HashError):
        sha256_of(tmp_path / "w.safetensors")
    with pytest.raises(styles.NamedTablesError):
        styles.read_csv(tmp_path / "styles.csv")
    with pytest.raises(wildcard_files.WildcardError):
        wildcard_files.read_text("w")
    assert Wildcards()("w") == ()


def test_a_model_folder_whose_index_is_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    os.mkfifo(tmp_path / "model" / "model_index.json")
    assert all(model.problem for model in checkpoints.models_in(tmp_path))


def test_a_cache_of_the_hub_whose_state_is_a_pipe(tmp_path: Path) -> None:
    refs = tmp_path / "models--a--b" / "refs"
    refs.mkdir(parents=True)
    os.mkfifo(refs / "main")
    (refs.parent / "snapshots" / "0").mkdir(parents=True)
    assert checkpoints.models_in(tmp_path) == []


def test_texts_cost_no_more_than_they_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []

    def unpack(data: bytes) -> bytes | None:
        unpacked.append(len(data))
        return None

    monkeypatch.setattr(headers, "_unpack", unpack)
    path = tmp_path / "x.png"
    path.write_bytes(_png(*[_bomb(1 << 10)] * 2000))
    assert read_texts(path).texts == {}
    assert len(unpacked) <= headers.MOST_BYTES // headers.MAX_TEXT


def test_a_directory_that_names_one_text_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def text(data: bytes, order: str) -> str:
        decoded.append(data)
        return ""

    monkeypatch.setattr(exif, "_text", text)
    entries = struct.pack("<HHII", 0x010E, 2, 1000, 8) * 512
    assert exif.exif_texts(b"II*\0" + struct.pack("<IH", 8, 512) + entries + bytes(1000)) == {}
    assert len(decoded) == 1


def test_a_folder_whose_name_is_not_utf_8_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_POLLED_SECONDS", 0.3)
    folder = tmp_path / "others"
    write_image(folder / "\udcff\udc9b2J" / "a.png", prompt="a")
    config.config_file().write_text(f"library_folders = {json.dumps([str(folder)])}\n")
    index = Index.open()
    with kept():
        until(lambda: len(index.ids()) == 1)
        write_image(folder / "b.png", prompt="b")
        until(lambda: len(index.ids()) == 2)
    index.close()


def test_changes_that_are_missed_again_and_again_end_the_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Confused:
        def __init__(self, *arguments: object) -> None:
            pass

        def watch(self, *arguments: object) -> None:
            raise RuntimeError("Unable to decode path")

        def close(self) -> None:
            pass

    monkeypatch.setattr(watching, "RustNotify", Confused)
    watcher = watching.Watcher([str(tmp_path)])
    stop = threading.Event()
    assert watcher.changes(stop, wait=True) == [str(tmp_path)]
    assert watcher.folders == {str(tmp_path)}
    assert watcher.changes(stop, wait=True) == [str(tmp_path)]
    assert watcher.folders == frozenset()
    assert watcher.changes(stop, wait=False) == []


def test_outputs_that_are_no_folder_are_a_sentence(tmp_path: Path) -> None:
    from PIL import Image

    from sdcore.spec.recipe import Recipe

    (tmp_path / "outputs").touch()
    with pytest.raises(outputs.OutputError) as told:
        outputs.save_image(Image.new("RGB", (8, 8)), Recipe(), folder=tmp_path / "outputs")
    assert "\n" not in str(told.value)
