"""`sdtui` on the command line: what it prints where, and with which exit status it ends."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdcore.library.metadata import read_image, read_pixels
from sdcore.library.outputs import save_image
from sdcore.spec import choices
from sdcore.spec.recipe import Recipe
from tui import cli
from tui.commands import console


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of ours that says how it was made."""
    recipe = Recipe(prompt="a [bold]house[/bold]\nat night\x1b[31m", seed=7)
    return save_image(Image.new("RGB", (16, 16), "red"), recipe, folder=tmp_path, model_hash="0123456789")


def test_nothing_heavy_is_imported_before_it_must_be() -> None:
    heavy = ["torch", "diffusers", "transformers", "textual", "rich", "PIL", "asyncio"]
    code = f"import sys, tui.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_every_command_is_there() -> None:
    assert [command.name for command in cli.COMMANDS] == [
        *(
            "generate",
            "trace",
            "inspect",
            "show",
            "replay",
            "models",
            "samplers",
            "status",
            "attach",
            "stop",
            "gate",
            "doctor",
            "bench",
        )
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["generate"],
        ["generate", "x", "--steps", "0"],
        ["generate", "x", "--steps", "two"],
        ["generate", "x", "--size", "512"],
        ["generate", "x", "--size", "60x64"],
        ["generate", "x", "--clip-skip", "0"],
        ["generate", "x", "--mask-blur", "-1"],
        ["generate", "x", "--sigmas", "14.6 and less"],
        ["generate", "x", "--sigmas", "1,2", "--sampler", "Euler"],
        ["generate", "x", "--sigmas", "2,nan", "--sampler", "Euler"],
        ["generate", "x", "--sigmas", "2,1", "--sampler", "Euler", "--steps", "3"],
        ["generate", "x", "--sigmas", "2,1", "--schedule", "Karras"],
        ["generate", "x", "--sampler", "Euler", "--schedule", "custom"],
        ["generate", "x", "--negative"],
        ["generate", "x", "--negative", "--steps", "3"],
        ["generate", "x", "y\n"],
        ["generate", "x", "--count", "0"],
        ["generate", "x", "--seed", "-2"],
        ["generate", "x", "--seed", "9" * 19],
        ["generate", "x", "--size", "100x100"],
        ["generate", "x", "--sampler", "eulr"],
        ["generate", "x", "--sampler", "DDIM", "--schedule", "Karras"],
        ["generate", "x", "--guidance", "nan"],
        ["inspect"],
        ["--color", "pink"],
        ["--host", "box", "generate", "x"],
        ["--host", "box", "gate", "x"],
    ],
)
def test_wrong_usage_is_status_2_and_one_sentence_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = cli.main(arguments)
    except SystemExit as exit:  # argparse leaves so
        status = int(str(exit.code))
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert said.err.endswith((".\n", "?\n"))
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "x", "--model", "tyny"], "did you mean tiny?"),
        (["generate", "x", "--model", "/absent/model"], "There is no model"),
        (["inspect", "/absent.png"], "There is no file"),
        (["show", "/dev/null"], "is not an image"),
        (["replay", "/absent.png"], "There is no file"),
        (["models", "/absent"], "There is no model"),
        ([], "needs a terminal"),
    ],
)
def test_a_failure_is_status_1_and_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_folder_that_cannot_be_made(
    sd1_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["generate", "x", "--model", str(sd1_folder), "--out", str(tmp_path / "file" / "x")]) == 1
    assert "choose another folder" in capsys.readouterr().err


def test_an_unforeseen_fault_is_one_sentence_and_its_traceback_is_in_the_log(
    private_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tui.commands import samplers

    def fail(options: object) -> int:
        raise ZeroDivisionError("surprise\x1b[31m\nsecond line")

    monkeypatch.setattr(samplers, "run", fail)
    assert cli.main(["samplers"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "ZeroDivisionError: surprise\ufffd[31m" in said
    log = private_home / "state" / "engine.log"
    assert "Traceback" in log.read_text()
    assert "\x1b" not in log.read_text()


def test_a_reader_who_leaves_is_no_fault() -> None:
    command = f"{sys.executable} -m tui.cli samplers | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_inspect_as_json(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(image), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "\x1b" not in line
    said = json.loads(line)
    assert said["prompt"] == "a [bold]house[/bold]\nat night\x1b[31m"
    assert (said["seed"], said["model"], said["model_hash"], said["writer"]) == (
        7,
        "tiny",
        "0123456789",
        "sdtui",
    )
    assert said["clip_skip"] is said["strength"] is None
    assert set(Recipe.__struct_fields__) <= set(said)
    assert said["extra"]["software"].startswith("sdtui ")


def test_inspect_for_people(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(image)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("prompt          a [bold]house[/bold]\n                at night\ufffd[31m\n")
    assert "\x1b" not in said


def test_inspect_an_image_that_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert cli.main(["inspect", str(tmp_path / "a.png"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("extra") == {}
    assert set(said.values()) == {None}
    assert cli.main(["inspect", str(tmp_path / "a.png")]) == 0
    assert "does not say" in capsys.readouterr().out


def test_samplers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["samplers", "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in said] == [sampler.name for sampler in choices.SAMPLERS]
    assert cli.main(["samplers"]) == 0
    assert "Align Your Steps" in capsys.readouterr().out


def test_models(sd1_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", str(sd1_folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"name", "path", "family", "bytes", "bundled"} <= set(said)
    assert (said["name"], said["path"], said["bundled"]) == (sd1_folder.name, str(sd1_folder), False)
    assert (said["kind"], said["problem"], said["hash"]) == ("folder", "", None)
    assert cli.main(["models", str(sd1_folder)]) == 0
    assert sd1_folder.name in capsys.readouterr().out


def test_models_in_a_folder_and_what_is_wrong_with_them(
    sd1_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "any\x1b.ckpt").write_bytes(b"\x80")
    assert cli.main(["models", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert "any\ufffd" in listed
    assert "pickle" in listed
    assert cli.main(["models", str(sd1_folder.parent), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["path"] == str(sd1_folder)
    (tmp_path / "empty").mkdir()
    assert cli.main(["models", str(tmp_path / "empty")]) == 1
    assert "no diffusers model" in capsys.readouterr().err


def test_status_and_stop_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 0
    assert cli.main(["stop"]) == 0
    assert capsys.readouterr().out == "No engine is running.\n" * 2
    assert cli.main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"running": None, "pid": None}


def test_show_without_a_terminal_wants_to_know_how(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(image)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--as halfblocks" in captured.err
    assert cli.main(["show", str(image), "--as", "sixel"]) == 0
    assert capsys.readouterr().out.startswith("\x1bP0;1q")
    assert cli.main(["show", str(image), "--color", "truecolor"]) == 0
    assert "\x1b[48;2;2" in capsys.readouterr().out


def test_columns_keep_hostile_text_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_columns([("a\n\x1b", "one\ntwo"), ("long name", "x")])
    assert capsys.readouterr().out == "a \ufffd        one\n           two\nlong name  x\n"


@pytest.fixture
def same_log() -> Iterator[None]:
    """Put the root logger's handlers back: an engine in this process sends them all to its log."""
    before = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = before
    logging.captureWarnings(False)


@pytest.fixture
def generate(
    sd1_folder: Path, tmp_path: Path, same_log: None, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    """Run `sdtui generate --json` on a small model with some more arguments; returns what it printed."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        small = ["--steps", "3", "--size", "64x64", "--model", str(sd1_folder), "--device", "cpu"]
        assert cli.main(["generate", "a house", "--out", str(tmp_path), "--json", *small, *arguments]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        return [json.loads(line) for line in said.out.splitlines()]

    return run


def test_generate(generate: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    first, second = generate("--seed", "5", "--count", "2", "--sampler", "euler_a", "--negative", "fog")
    assert (first["seed"], second["seed"], first["sampler"]) == (5, 6, "Euler a")
    assert first["seconds"] > 0
    assert first["steps_per_second"] > 0
    assert set(Recipe.__struct_fields__) <= set(first)
    assert Path(first["path"]).parent.parent == tmp_path
    recipe = read_image(first["path"]).recipe()
    assert (recipe.prompt, recipe.negative_prompt, recipe.width, recipe.steps) == ("a house", "fog", 64, 3)
    assert read_pixels(first["path"]).tobytes() != read_pixels(second["path"]).tobytes()


def test_a_value_may_begin_with_a_dash(generate: Callable[..., list[dict[str, Any]]]) -> None:
    (made,) = generate("--negative", "-x", "--seed", "-1")
    assert made["negative_prompt"] == "-x"


def test_a_device_that_is_not_there_is_said_in_its_own_sentence(
    sd1_folder: Path, tmp_path: Path, same_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["generate", "x", "--model", str(sd1_folder), "--out", str(tmp_path), "--device", "foo"]
    assert cli.main(asked) == 1
    said = capsys.readouterr().err
    assert said == "There is no device called 'foo': say auto, cpu, cuda or cuda:N.\n"


def test_seeds_are_drawn_at_random_when_none_is_given(
    generate: Callable[..., list[dict[str, Any]]],
) -> None:
    seeds = {made["seed"] for made in (*generate(), *generate("--seed", "-1"))}
    assert len(seeds) == 2


def test_replay(generate: Callable[..., list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = generate("--sampler", "DPM++ SDE")
    assert cli.main(["replay", made["path"], "--verify", "--device", "cpu"]) == 0
    assert capsys.readouterr() == ("identical\n", "")
    assert cli.main(["replay", made["path"], "--device", "cpu"]) == 0
    again = capsys.readouterr().out.strip()
    assert again != made["path"]
    assert read_pixels(again).tobytes() == read_pixels(made["path"]).tobytes()
    assert read_image(again).recipe() == read_image(made["path"]).recipe()


def test_replay_of_an_image_from_a_batch(
    sd1_folder: Path, tmp_path: Path, same_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from tui.commands.making import Maker

    recipe = Recipe(
        prompt="a",
        width=64,
        height=64,
        steps=3,
        seed=4,
        batch_size=3,
        sampler="Euler a",
        model=str(sd1_folder),
    )
    with Maker(device="cpu", folder=tmp_path) as maker:
        images = maker.make(recipe, "sampling").images
    assert [image.recipe.seed for image in images] == [4, 5, 6]
    assert cli.main(["replay", images[2].path, "--verify", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == "identical\n"


def test_verify_tells_a_changed_image(
    generate: Callable[..., list[dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = generate()
    image = read_pixels(made["path"])
    red, green, blue = image.getpixel((3, 4))  # type: ignore[misc]
    image.putpixel((3, 4), (red ^ 2, green, blue))
    forged = save_image(image, read_image(made["path"]).recipe(), folder=tmp_path, model_hash="0123456789")
    assert read_image(made["path"]).extra["threads"] > 0
    assert cli.main(["replay", str(forged), "--verify", "--device", "cpu"]) == 1
    said = capsys.readouterr()
    first, why, *rows = said.out.splitlines()
    assert first == ("differs: 1 of 4,096 pixels; of 255 at most R 2 G 0 B 0, on average R 0.000488 G 0 B 0")
    assert rows[0].split() == ["then", "now"]
    assert rows[1].split()[:2] == ["model", "0123456789"]
    assert rows[2].split()[:3] == ["torch", "not", "said"]
    assert why.startswith("What is not as it was then: model, torch, ")
    assert "threads" in why
    assert "weights are others" in said.err


def test_replay_of_an_image_that_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert cli.main(["replay", str(tmp_path / "a.png")]) == 1
    assert "cannot be made again" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "asked"), [(3, 3), (0, 0), (-1, 0), (10**6, 0)])
def test_replay_shares_the_work_among_as_many_threads(
    said: int, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks: list[int] = []

    def ask(**options: Any) -> Any:
        asks.append(options["threads"])
        raise console.CommandError("enough")

    monkeypatch.setattr("tui.commands.replay.Maker", ask)
    path = save_image(Image.new("RGB", (64, 64)), Recipe(width=64, height=64), folder=tmp_path, threads=said)
    assert cli.main(["replay", str(path)]) == 1
    assert asks == [asked]
