"""`sdtui generate` with choices in its prompt: each image has a draw of its own, and keeps what was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdcore.library.metadata import read_image
from tests.unit.test_cli import same_log
from tui import cli

__all__ = ["same_log"]

SMALL = ["--steps", "1", "--size", "64x64", "--device", "cpu", "--json"]


def test_each_image_is_drawn_by_its_seed(
    sd1_folder: Path, private_home: Path, tmp_path: Path, same_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (private_home / "wildcards").mkdir(parents=True)
    (private_home / "wildcards" / "pets.txt").write_text("cat\n")
    typed = "a {red|blue|green|white|black} __pets__"
    asked = [
        "generate",
        typed,
        "--seed",
        "1",
        "--count",
        "4",
        "--model",
        str(sd1_folder),
        "--out",
        str(tmp_path),
    ]
    assert cli.main([*asked, *SMALL]) == 0
    images = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    prompts = [image["prompt"] for image in images]
    assert all(prompt.startswith("a ") and prompt.endswith(" cat") for prompt in prompts)
    assert len(set(prompts)) > 1
    facts = read_image(images[0]["path"])
    assert facts.prompt == prompts[0]
    assert typed in json.dumps(facts.extra["template"])


def test_what_cannot_be_drawn_is_said_before_anything_is_made(
    private_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (private_home / "wildcards").mkdir(parents=True)
    (private_home / "wildcards" / "loop.txt").write_text("__loop__")
    assert cli.main(["generate", "__loop__", *SMALL]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "seems to name itself" in said.err
