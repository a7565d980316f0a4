"""The index as it is read: searches, rows, and what becomes of it when it is deleted, damaged or old."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdcore.library import marks
from sdcore.library.index import Index, disks, schema
from sdcore.library.index.asking import Answers
from sdcore.library.index.reading import Reading, read
from sdcore.library.index.scanning import Stamp, outermost
from sdcore.library.index.store import Store
from sdcore.spec.facts import ImageFacts
from sdcore.spec.search import parse
from tests.library_files import index_folder, write_image

DAY = 86_400
MARCH = 1_772_800_000  # 2026-03-06
IMAGES = {
    "sea/lighthouse.png": {
        "prompt": "a lighthouse in a storm, Café", "negative_prompt": "blurry", "steps": 20, "seed": 7,
        "sampler": "Euler a", "model": "DreamShaper", "guidance_scale": 7.5, "width": 512, "height": 768,
    },
    "sea/boat.png": {
        "prompt": "a red boat at sea", "negative_prompt": "storm, people", "steps": 30, "seed": 2**62,
        "sampler": "DPM++ 2M", "model": "sdxl-base", "guidance_scale": 5.0, "width": 1024, "height": 1024,
    },
    "land/house.png": {
        "prompt": "a red house, green field", "steps": 8, "seed": 70, "sampler": "LMS", "model": "tiny",
        "guidance_scale": 1.0,
    },
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images in an index, the boat the newest."""
    for days, (name, fields) in zip((0, 40, 20), IMAGES.items(), strict=True):
        write_image(tmp_path / "images" / name, changed=MARCH + days * DAY, **fields)
    index_folder(tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def index(folder: Path) -> Index:
    return Index.open()


def names(index: Index, text: str) -> list[str]:
    return [Path(row.path).stem for row in index.rows(index.ids(text))]


FOUND = {
    "": ["boat", "house", "lighthouse"],
    "red": ["boat", "house"],
    "RED boa": ["boat"],
    "light": ["lighthouse"],
    "house": ["house"],
    '"red house"': ["house"],
    '"house red"': [],
    '"red hou"': [],
    '"red hou': ["house"],
    "cafe": ["lighthouse"],
    "storm": ["boat", "lighthouse"],
    "prompt:storm": ["lighthouse"],
    "negative:storm": ["boat"],
    "-storm": ["boat", "house"],
    "red -boat": ["house"],
    "red -boat -house": [],
    "-red": ["lighthouse"],
    "-red -lighthouse": [],
    "-negative:storm": ["house", "lighthouse"],
    "steps:>8": ["boat", "lighthouse"],
    "steps:8..20": ["house", "lighthouse"],
    "-steps:>8": ["house"],
    "cfg:7.5": ["lighthouse"],
    "seed:7": ["lighthouse"],
    "seed:7..100": ["house", "lighthouse"],
    f"seed:>={2**62}": ["boat"],
    "model:DREAM": ["lighthouse"],
    'model:"dreamshaper"': ["lighthouse"],
    'model:"dream"': [],
    "sampler:euler": ["lighthouse"],
    "writer:a1111 red": ["boat", "house"],
    "folder:/sea": ["boat", "lighthouse"],
    "-folder:/sea": ["house"],
    "size:64x64": ["boat", "house", "lighthouse"],
    "size:512x768": [],
    "date:2026-03": ["house", "lighthouse"],
    "after:2026-03": ["boat"],
    "before:2026-03-20": ["lighthouse"],
    "-date:2026-03 red": ["boat"],
    "star": [],
    "-star": ["boat", "house", "lighthouse"],
    "tag:sea": [],
    "nothing of the kind": [],
    'model:""': ["boat", "house", "lighthouse"],
}


@pytest.mark.parametrize("text", FOUND)
def test_searching(index: Index, text: str) -> None:
    assert names(index, text) == FOUND[text]
    assert names(index, text) == FOUND[text], "what is remembered is the same"


def test_who_types_on_asks_for_the_new_term_alone(index: Index) -> None:
    asked: list[str] = []
    assert names(index, "storm") == ["boat", "lighthouse"]
    assert index._connection is not None
    index._connection.set_trace_callback(asked.append)
    assert names(index, "storm red") == ["boat"]
    (words,) = (statement for statement in asked if "MATCH" in statement)
    assert "red" in words
    assert "storm" not in words


@pytest.mark.parametrize("text", FOUND)
def test_typed_letter_by_letter_the_same_is_found(folder: Path, text: str) -> None:
    typing = Index.open()
    for end in range(len(text)):
        typing.ids(text[:end])
    assert typing.ids(text) == Index.open().ids(text)


def test_a_row_says_what_the_image_says(index: Index, folder: Path) -> None:
    image = index.find(folder / "sea/boat.png")
    assert image is not None
    row = index.rows([image])[0]
    said = IMAGES["sea/boat.png"]
    assert {name: getattr(row, name) for name in said if name not in ("width", "height")} == {
        name: value for name, value in said.items() if name not in ("width", "height")
    }
    assert (row.width, row.height) == (64, 64), "the pixels of the file"
    assert row.path == str(folder / "sea/boat.png")
    assert row.bytes == (folder / "sea/boat.png").stat().st_size
    assert row.created == pytest.approx(MARCH + 40 * DAY, abs=1)
    assert (row.writer, row.star, row.tags, row.problem) == ("A1111", False, (), "")


def test_rows_come_in_the_order_asked_for_without_those_that_are_gone(index: Index) -> None:
    ids = list(index.ids())
    assert [row.id for row in index.rows([ids[2], 999, ids[0]])] == [ids[2], ids[0]]
    assert index.rows([]) == []


def test_many_rows(index: Index) -> None:
    ids = index.ids() * 700
    assert len(index.rows(ids)) == len(ids)


def test_marks_are_found(folder: Path) -> None:
    marks.set_star([folder / "sea/boat.png"], True)
    marks.add_tags([folder / "sea/boat.png", folder / "land/house.png"], ["Über All", "b"])
    index_folder(folder)
    index = Index.open()
    assert names(index, "star") == ["boat"]
    assert names(index, "-star red") == ["house"]
    assert names(index, "tag:über") == ["boat", "house"]
    assert names(index, 'tag:"über all" -star') == ["house"]
    assert names(index, 'tag:"über"') == []
    assert index.tags() == ["b", "Über All"]
    assert index.rows(index.ids("star"))[0].tags == ("b", "Über All")


def test_names_that_are_no_text_and_seeds_beyond_sqlite(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/odd\xff"
    write_image(Path(os.fsdecode(odd)) / "image.png", prompt="a cat", seed=5)
    index_folder(tmp_path)
    facts = Reading("/x", "y.png", Stamp(1, 2), 3.0, seed=f"{2**64 - 1:020d}", prompt="a dog")
    store = Store(schema.open_to_write(schema.index_file()))
    with store.transaction():
        store.put([facts], marks.read())
    index = Index.open()
    cat, dog = index.rows([*index.ids("cat"), *index.ids("seed:18446744073709551615")])
    assert os.fsencode(cat.path) == odd + b"/image.png"
    assert index.find(cat.path) == cat.id
    assert dog.seed == 2**64 - 1
    store.close()


def test_hostile_facts_are_made_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ImageFacts(
        prompt="half \ud800 a\0b",
        seed=10**30,
        steps=2**70,
        guidance_scale=float("inf"),
        model="m" * 9000,
        extra={"created": "9999-99-99"},
    )
    monkeypatch.setattr("sdcore.library.index.reading.facts_of", lambda texts: said)
    write_image(tmp_path / "images/a.png")
    index_folder(tmp_path / "images")
    index = Index.open()
    row = index.rows(index.ids("half"))[0]
    assert (row.seed, row.steps, row.guidance_scale) == (None, None, None)
    assert row.prompt == "half ? a\ufffdb"
    assert len(row.model or "") == 300


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no image at all" * 100])
def test_a_broken_file_has_a_row_with_its_problem(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    reading = read(str(tmp_path), "broken.png", Stamp(len(content), 10**18))
    assert reading.problem.endswith(".")
    assert (reading.width, reading.created) == (0, 1e9)


def test_a_reader_that_raises_anything_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(texts: object) -> ImageFacts:
        raise RecursionError

    monkeypatch.setattr("sdcore.library.index.reading.facts_of", raises)
    image = write_image(tmp_path / "a.png")
    assert read(str(tmp_path), image.name, Stamp(1, 1)).problem == "a.png could not be read: RecursionError."


def test_without_an_index_there_is_nothing(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "none.sqlite")
    assert list(index.ids("x")) == []
    assert index.rows([1]) == []
    assert index.find("/x.png") is None
    assert (index.count(), index.tags(), index.progress().running) == (0, [], False)
    assert not (tmp_path / "none.sqlite").exists()
    index.close()


def test_the_version_tells_of_changes(index: Index, folder: Path) -> None:
    before = index.version()
    index.ids("red")
    assert index.version() == before
    write_image(folder / "new.png", prompt="red")
    index_folder(folder)
    assert index.version() != before
    assert len(index.ids("red")) == 3


def test_it_can_be_deleted_at_any_time(index: Index, folder: Path) -> None:
    before = index.version()
    for ending in ("", "-wal", "-shm"):
        Path(f"{schema.index_file()}{ending}").unlink(missing_ok=True)
    assert (index.count(), list(index.ids("red"))) == (0, [])
    assert index.version() != before
    index_folder(folder)
    assert names(index, "red") == FOUND["red"]


def test_closed_is_empty(index: Index) -> None:
    index.close()
    assert (index.count(), index.rows([1])) == (0, [])


def test_it_cannot_be_written_by_readers(index: Index) -> None:
    connection = schema.open_to_read(schema.index_file())
    assert connection is not None
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM image")
    connection.close()


@pytest.mark.parametrize(
    "damage", [b"no database at all, but text" * 50, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_index_is_set_aside_and_made_again(folder: Path, damage: bytes) -> None:
    path = schema.index_file()
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    path.write_bytes(damage)
    index = Index.open()
    assert (index.count(), list(index.ids("red")), index.tags()) == (0, [], [])
    index_folder(folder)
    assert names(index, "red") == FOUND["red"]
    assert Path(f"{path}.damaged").read_bytes() == damage


def test_an_index_of_a_newer_version_is_set_aside(folder: Path) -> None:
    connection = sqlite3.connect(schema.index_file())
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    index = Index.open()
    assert index.count() == 0
    index_folder(folder)
    assert index.count() == 3
    assert Path(f"{schema.index_file()}.newer").exists()


def test_an_old_index_is_brought_up_to_date_after_a_backup(folder: Path) -> None:
    def add(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE image ADD COLUMN rating INTEGER")

    path = schema.index_file()
    schema.open_to_write(path, (*schema.MIGRATIONS, add)).close()
    with sqlite3.connect(path) as now, sqlite3.connect(f"{path}.version{schema.VERSION}") as before:
        assert now.execute("SELECT count(rating), count(*) FROM image").fetchone() == (0, 3)
        assert before.execute("SELECT count(*) FROM image").fetchone() == (3,)
        with pytest.raises(sqlite3.OperationalError):
            before.execute("SELECT rating FROM image")
    assert Path(f"{path}.version{schema.VERSION}").stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_migration_that_fails_changes_nothing(folder: Path) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE tag")
        raise sqlite3.OperationalError("no")

    with pytest.raises(sqlite3.OperationalError):
        schema.open_to_write(schema.index_file(), (*schema.MIGRATIONS, fail))
    assert Index.open().count() == 3
    assert Index.open().tags() == []


PIECES = st.sampled_from(
    ["red", "-", '"', ":", " ", "*", "(", ")", "NEAR(", "AND", "OR", "NOT", "^", "{", "prompt:", "steps:", ">2", "+",
     "date:2026", "tag:", "model:", "\0", "\ud800", "é", "日本", "seed:", "9" * 24, "..", "size:1x1", "%", "'", "\n"]
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join)))
def test_no_search_fails_and_what_is_left_out_is_the_rest(folder: Path, text: str) -> None:
    connection = schema.open_to_read(schema.index_file())
    assert connection is not None
    query = parse(text)
    answers = Answers()
    every = set(answers.ids(connection, 1, parse("")))
    assert set(answers.ids(connection, 1, query)) <= every
    for term in query.wanted:
        with_it, without = (
            set(answers.ids(connection, 1, type(query)(*terms))) for terms in (((term,), ()), ((), (term,)))
        )
        assert with_it | without == every
        assert not with_it & without
    connection.close()


NAMES = st.binary(min_size=1, max_size=60).filter(lambda name: not {0, ord("/")} & set(name))


@settings(max_examples=60)
@given(names=st.lists(NAMES, min_size=1, max_size=8, unique=True))
def test_any_name_of_a_file_is_kept_as_it_is(names: list[bytes]) -> None:
    store = Store(sqlite3.connect(":memory:", isolation_level=None))
    schema.MIGRATIONS[0](store._connection)
    wanted = {os.fsdecode(name): Stamp(len(name), number) for number, name in enumerate(names)}
    with store.transaction():
        store.put([Reading("/a folder", name, stamp, 0.0) for name, stamp in wanted.items()], marks.read())
    assert store.stamps("/a folder") == wanted
    first = next(iter(wanted))
    with store.transaction():
        store.remove("/a folder", [first])
    assert set(store.stamps("/a folder")) == set(wanted) - {first}
    store.close()


def test_threads_may_ask_while_it_is_written(index: Index, folder: Path) -> None:
    faults: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                ids = index.ids("red")
                assert all("red" in row.prompt for row in index.rows(ids))
                index.version()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        write_image(folder / f"{number}.png", prompt="red", changed=MARCH + number)
        index_folder(folder)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert faults == []
    assert len(index.ids("red")) == 22


def test_folders_within_others_are_those(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    given = [tmp_path / "a/b", tmp_path / "a", tmp_path / "link", tmp_path / "ab"]
    assert outermost(given) == [str(tmp_path / "a"), str(tmp_path / "ab")]


def test_disks_of_the_network_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / /net\\040home rw shared:1 - nfs4 host:/x rw\n"
        "3 2 8:2 / /net\\040home/local rw - xfs /dev/sdb rw\nnonsense\n"
    )
    monkeypatch.setattr(disks, "_TABLE", table)
    assert disks.is_remote(Path("/net home/me/index.sqlite"))
    assert not disks.is_remote(Path("/net home/local/index.sqlite"))
    assert not disks.is_remote(Path("/net homes"))
    monkeypatch.setattr(disks, "_TABLE", tmp_path / "none")
    assert not disks.is_remote(Path("/net home"))
