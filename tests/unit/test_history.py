"""The prompt history: kept across runs, shared by processes, tolerant of whatever is in its file."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from sdcore.library import history
from sdcore.library.history import Entry, PromptHistory


def test_is_kept_across_runs_and_private(private_home: Path) -> None:
    first = PromptHistory()
    first.add("a house\nat night", "blurry")
    first.add("日本\x1b[31m")
    assert PromptHistory().entries == [Entry("a house\nat night", "blurry"), Entry("日本\x1b[31m")]
    path = private_home / "state" / "prompts.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600


def test_neighbours_are_not_repeated_and_nothing_is_not_kept(tmp_path: Path) -> None:
    kept = PromptHistory(tmp_path / "h")
    for prompt in ("a", "a", "", " \n", "b", "a"):
        kept.add(prompt)
    assert [entry.prompt for entry in kept.entries] == ["a", "b", "a"]
    assert PromptHistory(tmp_path / "h").entries == kept.entries


def test_a_negative_prompt_makes_another_entry(tmp_path: Path) -> None:
    kept = PromptHistory(tmp_path / "h")
    kept.add("a")
    kept.add("a", "b")
    assert kept.entries == [Entry("a"), Entry("a", "b")]


@pytest.mark.parametrize(
    "torn",
    [
        b'{"prompt":"tor',
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"prompt":3}',
        b"\x00" * 9,
        b'{"x":' + b"[" * 9000,
    ],
)
def test_a_torn_line_costs_itself_alone(torn: bytes, tmp_path: Path) -> None:
    path = tmp_path / "h"
    PromptHistory(path).add("before")
    path.write_bytes(path.read_bytes() + torn)
    PromptHistory(path).add("after")
    assert [entry.prompt for entry in PromptHistory(path).entries] == ["before", "after"]


def test_half_of_a_character_is_no_reason_to_fail(tmp_path: Path) -> None:
    PromptHistory(tmp_path / "h").add("a\ud800b")
    assert PromptHistory(tmp_path / "h").entries == [Entry("a?b")]


def test_only_the_newest_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_ENTRIES", 3)
    kept = PromptHistory(tmp_path / "h")
    for number in range(5):
        kept.add(str(number))
    assert [entry.prompt for entry in kept.entries] == ["2", "3", "4"]
    assert PromptHistory(tmp_path / "h").entries == kept.entries


def test_the_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_BYTES", 1000)
    path = tmp_path / "h"
    kept = PromptHistory(path)
    for number in range(300):
        kept.add(f"prompt {number}")
        assert path.stat().st_size <= 2100
    assert PromptHistory(path).entries[-1] == Entry("prompt 299")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_read_is_an_empty_history(tmp_path: Path) -> None:
    (tmp_path / "h").mkdir()
    kept = PromptHistory(tmp_path / "h")
    assert kept.entries == []
    with pytest.raises(OSError, match="directory"):
        kept.add("x")
    assert kept.entries == [Entry("x")]


def _add_some(path: str, name: str) -> None:
    kept = PromptHistory(Path(path))
    for number in range(100):
        kept.add(f"{name} {number}")


def test_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "h"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add_some, args=(str(path), name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = [entry.prompt for entry in PromptHistory(path).entries]
    assert sorted(found) == sorted(f"{name} {number}" for name in "abc" for number in range(100))
