"""The README says what is so: every key of the app, commands that exist, pictures that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tui.actions import ACTIONS
from tui.cli import _parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
USUAL = ("editor", "list", "folder", "help", "steps", "fork", "line", "ask")
"""Where keys do what they do everywhere: lists, lines of text, texts that scroll."""


def key_table() -> str:
    """The rows that belong under "## Keys": all keys but those of lists and of text editing, which are usual."""
    shown = [action for action in ACTIONS if action.scope not in USUAL]
    where = {"app": "", "studio": ""}
    return "\n".join(
        f"| {action.key}{where.get(action.scope, f' ({action.scope})')} | {action.title} |"
        for action in shown
    )


def with_keys(readme: str) -> str:
    """The README with the rows of today's registry in its key table."""
    return re.sub(
        r"(?<=\|---\|---\|\n)(?:\| .* \|\n)+(?=\n<!-- the keys end -->)", lambda _: f"{key_table()}\n", readme
    )


def test_the_key_table_is_the_registry() -> None:
    assert key_table() in README


def test_the_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert len(pictures) >= 3
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []


def test_both_commands_are_there() -> None:
    assert re.search(r"<!-- the app -->\n```bash\n.*pip install \. && .*sdtui\n```", README)
    assert re.search(r"<!-- the tests -->\n```bash\n.*pytest.*\n```", README)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^sdtui (\w+)", README, re.MULTILINE))))
def test_the_commands_in_the_readme_exist(command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        _parser().parse_args([command, "--help"])
    assert ended.value.code == 0


def test_the_notes_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    section = README.split("### The notes, in twenty lines")[1]
    found = re.search(r"```python\n(.*?)```", section, re.S)
    assert found is not None
    made: dict[str, Any] = {}
    exec(found[1], made)
    assert len(capsys.readouterr().out.splitlines()) == 2 + 30
    assert {path.name for path in tmp_path.iterdir()} >= {"sheet.png", "run.trace.safetensors"}
    assert made["tokens"].ids.shape == (1, 77)
    assert made["blue"][12].latents.equal(made["trace"][12].latents)
    assert not made["blue"][13].noise_pred.equal(made["trace"][13].noise_pred)


if __name__ == "__main__":
    (ROOT / "README.md").write_text(with_keys(README))
