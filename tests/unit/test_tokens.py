"""Tokens and chunks as the prompt editor counts them, and as the model reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.library.tokens import Counted, TokenCounter, vocabulary_of
from sdcore.spec.prompt import parse
from sdcore.spec.prompt_marks import stretches
from tests.models import byte_tokenizer

anything = st.text() | st.text(alphabet=r"()[]\:|<>,.-+0123456789 aBREAKNDlora")


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> TokenCounter:
    """A counter with the tokenizer of the tests' own models."""
    folder = tmp_path_factory.mktemp("counted")
    byte_tokenizer().save_pretrained(folder / "tokenizer")
    return TokenCounter(folder)


@pytest.mark.parametrize(
    ("text", "tokens", "chunks"),
    [
        ("", 0, 1),
        ("ab ab", 2, 1),
        ("(ab:1.3) [ab] \\(ab", 4, 1),
        ("ab <lora:ab:0.5>", 1, 1),
        ("ab BREAK ab ab", 3, 2),
        ("[ab ab:ab:5] ab", 3, 1),
        ("[ab|ab ab ab]", 3, 1),
        ("ab AND ab ab AND ab", 2, 1),
        ("ab " * 76, 76, 2),
        ("ab " * 60 + ", " + "ab " * 16, 77, 2),
    ],
)
def test_marks_are_not_counted(counter: TokenCounter, text: str, tokens: int, chunks: int) -> None:
    counted = counter.count(text)
    assert (counted.tokens, counted.chunks) == (tokens, chunks)


def test_chunks_end_where_the_encoder_ends_them(counter: TokenCounter) -> None:
    text = "ab " * 60 + "(, " + "ab " * 16 + ":1.2)"
    assert counter.count(text).ends == (text.index(",") + 1,)
    assert counter.count("ab " * 160).ends == (75 * 3 - 1, 150 * 3 - 1)
    assert counter.count("ab BREAK ab").ends == (2,)
    assert counter.count("BREAK ab").ends == ()
    assert counter.count("ab AND " + "ab " * 76).ends == (7 + 75 * 3 - 1,)


def test_without_a_tokenizer_words_and_marks_are_counted(tmp_path: Path) -> None:
    rough = TokenCounter(tmp_path)
    assert not rough.exact
    assert rough.count("a red house, (at:1.2) night") == Counted(6)
    assert rough.count("word " * 80).ends == (75 * 5 - 1,)


def old_folder(folder: Path) -> Path:
    """A tokenizer as older folders have it: words and merges in a file each."""
    byte_tokenizer().save_pretrained(folder)
    whole = folder / "tokenizer.json"
    model = json.loads(whole.read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(" ".join(pair) for pair in model["merges"])
    )
    whole.unlink()
    return folder


def test_older_folders_are_read_as_well(counter: TokenCounter, tmp_path: Path) -> None:
    older = TokenCounter(old_folder(tmp_path / "tokenizer").parent)
    assert older.exact
    for text in ("", "AB ab, it's  12\n日本 🏠", "(ab:1.2) " * 60, "word " * 40):
        assert older.count(text) == counter.count(text)


def test_a_counter_follows_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    old_folder(folder / "tokenizer")
    beside = tmp_path / "file.safetensors"
    beside.touch()
    assert vocabulary_of(str(folder)) == folder / "tokenizer"
    assert vocabulary_of("no such model") is None
    monkeypatch.setattr("sdcore.library.tokens.vocabularies", lambda kind: iter([folder / "tokenizer"]))
    assert vocabulary_of(str(beside)) is None  # it has not all of CLIP's words
    old_folder(tmp_path / "file" / "tokenizer")
    assert vocabulary_of(str(beside)) == tmp_path / "file" / "tokenizer"
    rough = TokenCounter(tmp_path)
    assert (rough.count("word").tokens, rough.exact) == (1, False)
    rough.follow(vocabulary_of(str(beside)))
    assert (rough.count("word").tokens, rough.exact) == (4, True)
    rough.follow(None)
    assert (rough.count("word").tokens, rough.exact) == (1, False)


@given(text=anything)
def test_ends_lie_in_the_text_in_order(counter: TokenCounter, text: str) -> None:
    counted = counter.count(text)
    assert counted.tokens >= 0
    assert counted.chunks >= 1
    assert list(counted.ends) == sorted(counted.ends)
    assert all(0 < end <= len(text) for end in counted.ends)


@given(st.text(alphabet="()\\a b,.:1"))
def test_what_is_counted_is_what_is_read(text: str) -> None:
    """The letters of the stretches are those of the pieces that the text encoder is given."""
    counted = "".join(one.text for part in stretches(text) for one in part if one is not None)
    stage = parse(text, 1).branches[0].stages[0]
    read = "".join(piece.text for piece in stage.pieces)  # type: ignore[union-attr]
    assert counted.replace(" ", "") == read.replace(" ", "")


def test_an_embedding_counts_as_its_vectors_and_stays_in_one_chunk(counter: TokenCounter) -> None:
    counter.vectors = {"ab style": 5}
    try:
        assert counter.count("ab, AB Style ab").tokens == 2 + 5 + 1
        assert counter.count("ab " * 75 + "ab style").chunks == 2
        assert counter.count("ab " * 72 + "ab style ab") == Counted(78, 2, (72 * 3 - 1,))
    finally:
        counter.vectors = {}
