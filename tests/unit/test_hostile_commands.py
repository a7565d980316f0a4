"""Everything hostile in every command: what it prints, plain and as JSON, and what it writes to logs, is text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdcore.engine.ssh import Line
from sdcore.engine.wire import EngineError
from sdcore.library import paths
from tests.hostile import ESCAPES, MARKUP, line, marks, names, obeyed, texts, untold
from tests.hostile_home import WRITERS, build
from tui import cli

SECRET = "a-secret-that-looks-like-nothing-known"
EVERY = " ".join(texts("ar")[0].split())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A hostile home for all commands, and an engine that answers in hostile sentences."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDTUI_HOME", str(home))
        build(home)
        engine = subprocess.Popen([sys.executable, "-m", "tests.hostile_host"], stdout=subprocess.PIPE)
        assert engine.stdout is not None
        assert engine.stdout.readline()
    yield home
    engine.terminate()
    engine.wait()


@pytest.fixture(autouse=True)
def at_home(home: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `private_home`, which every test has."""
    monkeypatch.setenv("SDTUI_HOME", str(home))
    monkeypatch.setenv("HF_TOKEN", SECRET)


def run(*arguments: str) -> int:
    """The exit status of a command in this process."""
    try:
        return cli.main(list(arguments))
    except SystemExit as done:
        return int(done.code or 0)


def check(said: str, *, seen: str = "") -> None:
    assert untold(said) == []
    assert obeyed(said.encode()) == []
    assert "Traceback" not in said
    assert SECRET not in said
    assert not seen or seen in marks(said.encode())


IMAGES = {f"{number:02d}-{writer}.png": "im" * (writer != "nobody") for number, writer in enumerate(WRITERS)}


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("how", ["", "--json"])
def test_inspect(image: str, how: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = paths.outputs_dir() / "2026-03-01" / image
    assert run("inspect", str(path), *filter(None, [how])) == 0
    said, complaints = capfd.readouterr()
    check(said + complaints, seen=IMAGES[image])
    if how:
        assert isinstance(json.loads(said), dict)


@pytest.mark.parametrize("image", ["exif.jpg", "exif.webp", "xmp.webp"])
def test_inspect_other_formats(image: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", str(paths.outputs_dir() / "2026-03-02" / image)) == 0
    check("".join(capfd.readouterr()), seen="ex")


def arguments_of(text: str) -> list[tuple[str, ...]]:
    return [
        ("inspect", text), ("show", text), ("replay", text), ("replay", text, "--verify"), ("models", text), (text,),
        ("generate", "x", "--model", text), ("generate", "x", "--sampler", text), ("generate", "x", "--init", text),
        ("generate", "x", "--schedule", text), ("generate", "x", "--size", text), ("generate", "x", "--steps", text),
        ("generate", "x", "--mask", text), ("generate", "x", "--vae", text, "--sampler", text), ("gate", text),
        ("generate", "x", "--out", f"/proc/{text}"), ("generate", "x", f"--{text}"), ("--color", text),
        ("generate", "__none__", "--emphasis", text), ("trace", "x", "--out", f"/proc/{text}"), ("bench", text),
        ("--host", text),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(arguments_of(""))))
def test_arguments_that_are_wrong(number: int, capfd: pytest.CaptureFixture[str]) -> None:
    for text in (EVERY[:200], *texts("ar")[1:4], names("ar")[0], names("ar")[1], *MARKUP):
        command = arguments_of(text)[number]
        assert run(*command) in (1, 2), command
        check("".join(capfd.readouterr()))


@pytest.mark.parametrize(
    ("command", "seen"),
    [(("models",), "mo"), (("models", "--json"), "mo"), (("status",), "eu"), (("status", "--json"), "eu")],
)
def test_what_is_there(command: tuple[str, ...], seen: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(*command) == 0
    check("".join(capfd.readouterr()), seen=seen)


def test_models_of_a_folder_with_a_hostile_name(capfd: pytest.CaptureFixture[str]) -> None:
    for name in names("mf")[:8]:
        assert run("models", str(paths.models_dir() / name)) in (0, 1)
        check("".join(capfd.readouterr()))


def test_show_of_files_with_hostile_names(capfd: pytest.CaptureFixture[str]) -> None:
    for name in names("br")[:6]:
        assert run("show", str(paths.outputs_dir() / "2026-03-03" / f"{name}.png")) == 1
        check("".join(capfd.readouterr()), seen="br")


def test_the_doctor_in_a_hostile_environment(home: Path) -> None:
    variables = {"TERM": line("tm"), "LANG": line("tm", 3), "LC_ALL": "", "TERM_PROGRAM": line("tm", 6),
                 "COLORTERM": line("tm", 9), "TMUX": "", "STY": line("tm", 12)}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "doctor"], env={**os.environ, **variables}, capture_output=True, check=False
    )  # fmt: skip
    check((done.stdout + done.stderr).decode(), seen="co")


def test_a_fault_that_nobody_foresaw(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fall(options: object) -> int:
        kept_to_itself = f"a local value {SECRET}"
        raise RuntimeError(f"{texts('un')[3]} {SECRET} {len(kept_to_itself)}")

    for command in cli.COMMANDS:
        monkeypatch.setattr(f"{command.run.replace(':', '.')}" + ("" if ":" in command.run else ".run"), fall)
    required = {"generate": ["x"], "trace": ["x", "--out", "y"], "inspect": ["x"], "show": ["x"], "replay": ["x"],
                "gate": ["x"]}  # fmt: skip
    for command in cli.COMMANDS:
        assert run(command.name, *required.get(command.name, [])) == 1
        said, complaint = capfd.readouterr()
        assert said == ""
        assert complaint.count("\n") == 1
        check(complaint, seen="un")
    log = (paths.state_dir() / "engine.log").read_text()
    assert "in fall" in log
    assert SECRET not in log
    assert "a local value" not in log
    assert obeyed(log.encode()) == []


@pytest.mark.parametrize("number", range(len(ESCAPES)))
def test_what_the_far_side_of_a_line_says(number: int, tmp_path: Path) -> None:
    said = tmp_path / "said"
    said.write_text(f"{texts('fa')[number]} {SECRET}\n".replace("\u2028", "").replace("\r", ""), "utf-8")
    ssh = Line("box", ssh=("sh", "-c", f"cat {said} >&2; cat {said}; exit 255"))
    with pytest.raises(EngineError) as told:
        ssh.open()
    ssh.close()
    check(str(told.value), seen="fa")


def test_an_engine_that_falls_over_leaves_a_clean_log(home: Path) -> None:
    program = (
        "import sys, threading; from sdcore.engine.log import *\n"
        "def fall(): raise ValueError(sys.argv[1])\n"
        "log_to(open_log()); log_unforeseen(); thread = threading.Thread(target=fall); thread.start(); thread.join()\n"
        "fall()"
    )
    text = f"{texts('fe')[2]} {SECRET}"
    done = subprocess.run([sys.executable, "-c", program, text], capture_output=True, check=False)
    log = (paths.state_dir() / "engine.log").read_bytes()
    assert done.returncode == 1
    assert log.count(b"in fall") >= 2
    assert "fe" in marks(log)
    assert obeyed(log + done.stderr) == []
    assert SECRET.encode() not in log + done.stderr


def test_every_payload_is_told_of_by_its_checks() -> None:
    for escape in ESCAPES:
        raw = escape.format("Zab01")
        assert obeyed(raw.encode())
        assert untold(raw)
