"""The prompt history: kept across runs, shared by processes, tolerant of whatever is in its file."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from sdcore.library import history
from sdcore.library.history import Entry, PromptHistory
from sdcore.spec.recipe import Recipe


def used(prompt: str, negative_prompt: str = "", **fields: object) -> Recipe:
    return Recipe(prompt=prompt, negative_prompt=negative_prompt, **fields)  # type: ignore[arg-type]


def said(prompt: str, negative_prompt: str = "", **settings: object) -> Entry:
    return Entry(prompt, negative_prompt, settings)


def test_is_kept_across_runs_and_private(private_home: Path) -> None:
    first = PromptHistory()
    first.add(used("a house\nat night", "blurry"))
    first.add(used("日本\x1b[31m"))
    assert PromptHistory().entries == [said("a house\nat night", "blurry"), said("日本\x1b[31m")]
    path = private_home / "state" / "prompts.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600


def test_neighbours_are_not_repeated_and_nothing_is_not_kept(tmp_path: Path) -> None:
    kept = PromptHistory(tmp_path / "h")
    for prompt in ("a", "a", "", " \n", "b", "a"):
        kept.add(used(prompt))
    assert [entry.prompt for entry in kept.entries] == ["a", "b", "a"]
    assert PromptHistory(tmp_path / "h").entries == kept.entries


def test_a_negative_prompt_makes_another_entry(tmp_path: Path) -> None:
    kept = PromptHistory(tmp_path / "h")
    kept.add(used("a"))
    kept.add(used("a", "b"))
    assert kept.entries == [said("a"), said("a", "b")]


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
    PromptHistory(path).add(used("before"))
    path.write_bytes(path.read_bytes() + torn)
    PromptHistory(path).add(used("after"))
    assert [entry.prompt for entry in PromptHistory(path).entries] == ["before", "after"]


def test_half_of_a_character_is_no_reason_to_fail(tmp_path: Path) -> None:
    PromptHistory(tmp_path / "h").add(used("a\ud800b"))
    PromptHistory(tmp_path / "h").add(used("c", model="m\ud800"))
    assert PromptHistory(tmp_path / "h").entries == [said("a?b"), said("c", model="m?")]


def test_the_settings_are_kept_and_another_seed_is_no_other_entry(tmp_path: Path) -> None:
    kept = PromptHistory(tmp_path / "h")
    kept.add(used("a", "b", steps=12, seed=1, sampler="Heun"))
    kept.add(used("a", "b", steps=12, seed=2, sampler="Heun"))
    (entry,) = PromptHistory(tmp_path / "h").entries
    assert entry.recipe() == Recipe(prompt="a", negative_prompt="b", steps=12, sampler="Heun")


def test_an_entry_of_an_older_program_knows_no_settings(tmp_path: Path) -> None:
    lines = ['{"prompt": "a"}', '{"prompt": "b", "settings": {"steps": "many"}}']
    (tmp_path / "h").write_text("\n".join(lines))
    assert [entry.recipe() for entry in PromptHistory(tmp_path / "h").entries] == [None, None]


def test_only_the_newest_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_ENTRIES", 3)
    kept = PromptHistory(tmp_path / "h")
    for number in range(5):
        kept.add(used(str(number)))
    assert [entry.prompt for entry in kept.entries] == ["2", "3", "4"]
    assert PromptHistory(tmp_path / "h").entries == kept.entries


def test_the_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_BYTES", 1000)
    path = tmp_path / "h"
    kept = PromptHistory(path)
    for number in range(300):
        kept.add(used(f"prompt {number}"))
        assert path.stat().st_size <= 2100
    assert PromptHistory(path).entries[-1] == said("prompt 299")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_read_is_an_empty_history(tmp_path: Path) -> None:
    (tmp_path / "h").mkdir()
    kept = PromptHistory(tmp_path / "h")
    assert kept.entries == []
    with pytest.raises(OSError, match="directory"):
        kept.add(used("x"))
    assert kept.entries == [said("x")]


def _add_some(path: str, name: str) -> None:
    kept = PromptHistory(Path(path))
    for number in range(100):
        kept.add(used(f"{name} {number}"))


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
