"""LoRAs and embeddings through the engine: a job names them, the next does not, the image says which they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sdcore import opening
from sdcore.engine.local import LocalClient, LocalEngine, torch_backend
from sdcore.engine.messages import ForkPoint, Generate, JobFailed, JobFinished, JobNotice
from sdcore.library import record
from sdcore.library.metadata import read_image
from sdcore.library.shelf import Shelf
from sdcore.opening import open_model
from sdcore.spec.recipe import Recipe
from sdcore.weights import read_header
from tests.engine_fakes import until
from tests.models import WIDTH
from tests.models.addons import lora_matrices, save, save_kohya, save_peft
from tests.unit.test_cli import same_log
from tests.unit.test_inversion import vectors
from tui import cli

__all__ = ["same_log"]


@pytest.fixture(scope="module")
def lora_tensors(sd1_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a LoRA in two forms, `ink` and `pen`, and an embedding `style`."""
    folder = tmp_path_factory.mktemp("addons")
    networks = open_model(sd1_folder, device="cpu").adapter.modules
    save_kohya(folder / "Ink.safetensors", lora_matrices(networks, seed=1), alpha=2.0)
    save_peft(folder / "sub" / "pen.safetensors", lora_matrices(networks, seed=2))
    save(folder / "style.safetensors", {"emb_params": vectors(2, WIDTH)})
    return folder


@pytest.fixture
def client(lora_tensors: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalClient]:
    monkeypatch.setattr(opening, "SHELF", Shelf())
    private_home.mkdir()
    (private_home / "models").symlink_to(lora_tensors, target_is_directory=True)
    with LocalEngine(torch_backend("cpu")) as engine:
        yield engine.attach()


def recipe(folder: Path, prompt: str, negative: str = "") -> Recipe:
    return Recipe(
        prompt=prompt, negative_prompt=negative, width=64, height=64, steps=3, seed=4, guidance_scale=3.0,
        model=str(folder),
    )  # fmt: skip


def made(client: LocalClient, wanted: Recipe, job: str, fork: ForkPoint | None = None) -> Path:
    client.send(Generate(job=job, recipe=wanted, fork=fork))
    (*_, last) = until(iter(client), JobFinished, JobFailed)
    assert isinstance(last, JobFinished), last
    return Path(last.images[0].path)


def record_of(path: Path) -> record.ImageRecord:
    with Image.open(path) as image:
        return record.decode(image.info[record.CHUNK])


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()


def test_the_next_job_is_as_if_there_had_been_no_lora(client: LocalClient, sd1_folder: Path) -> None:
    plain = pixels(made(client, recipe(sd1_folder, "a house"), "1"))
    inked = pixels(made(client, recipe(sd1_folder, "a house<lora:ink:0.8>"), "2"))
    both = pixels(made(client, recipe(sd1_folder, "a house<lora:ink:0.8><lora:pen:1>"), "3"))
    assert len({plain, inked, both}) == 3
    assert pixels(made(client, recipe(sd1_folder, "a house"), "4")) == plain
    assert pixels(made(client, recipe(sd1_folder, "<lora:PEN>a house<lora:ink:0.8>"), "5")) == both
    assert pixels(made(client, recipe(sd1_folder, "a house<lora:ink:0.8>"), "6")) == inked


def test_a_fork_has_the_loras_of_its_run(client: LocalClient, sd1_folder: Path) -> None:
    inked = recipe(sd1_folder, "a house<lora:ink:0.8>")
    whole = pixels(made(client, inked, "run"))
    made(client, recipe(sd1_folder, "a tree"), "between")
    assert pixels(made(client, inked, "fork", ForkPoint(source="run", step=0))) == whole


def test_the_image_says_what_was_named(client: LocalClient, sd1_folder: Path, lora_tensors: Path) -> None:
    path = made(client, recipe(sd1_folder, "a style house<lora:ink:0.8>", "<lora:pen:0.5>"), "1")
    ink, pen = lora_tensors / "Ink.safetensors", lora_tensors / "sub" / "pen.safetensors"
    weights = {file: hashlib.sha256(file.read_bytes()[read_header(file).data_start :]) for file in (ink, pen)}
    style = hashlib.sha256((lora_tensors / "style.safetensors").read_bytes())
    ours, second, third = (digest.hexdigest()[:12] for digest in (weights[ink], weights[pen], style))
    kept = record_of(path)
    with Image.open(path) as image:
        text = image.info["parameters"]
    assert f'Lora hashes: "Ink: {ours}, pen: {second}", TI hashes: "style: {third}", Version: ' in text
    assert [(one.kind, one.name, one.hash) for one in kept.addons] == [
        ("LoRA", "Ink", ours), ("LoRA", "pen", second), ("textual inversion", "style", third),
    ]  # fmt: skip
    assert "lora" not in path.name
    assert read_image(path).recipe().prompt == "a style house<lora:ink:0.8>"


def test_an_image_without_any_says_nothing_of_them(client: LocalClient, sd1_folder: Path) -> None:
    with Image.open(made(client, recipe(sd1_folder, "a house"), "1")) as image:
        assert "hashes" not in image.info["parameters"]
        assert "addons" not in image.info[record.CHUNK]


def test_a_wrong_name_fails_the_job_and_the_next_goes_on(client: LocalClient, sd1_folder: Path) -> None:
    client.send(Generate(job="1", recipe=recipe(sd1_folder, "a house<lora:inkk:1>")))
    failed = until(iter(client), JobFinished, JobFailed)[-1]
    assert isinstance(failed, JobFailed)
    assert failed.message == "There is no LoRA called 'inkk'; did you mean Ink?"
    assert made(client, recipe(sd1_folder, "a house<lora:ink:1>"), "2").is_file()


def test_which_of_two_is_meant_is_told(client: LocalClient, sd1_folder: Path, lora_tensors: Path) -> None:
    other = lora_tensors / "z" / "ink.safetensors"
    other.parent.mkdir()
    other.write_bytes((lora_tensors / "Ink.safetensors").read_bytes())
    try:
        client.send(Generate(job="1", recipe=recipe(sd1_folder, "a house<lora:INK:1>")))
        events = until(iter(client), JobFinished, JobFailed)
        notices = [event.message for event in events if isinstance(event, JobNotice)]
        assert [notice.startswith("There are 2 LoRAs called INK") for notice in notices] == [True]
    finally:
        other.unlink()


def test_replay_finds_the_files_again_and_says_when_they_are_others(
    client: LocalClient,
    sd1_folder: Path,
    lora_tensors: Path,
    same_log: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = made(client, recipe(sd1_folder, "a house<lora:ink:0.8>"), "1")
    then = record_of(path).addons[0].hash
    assert cli.main(["replay", str(path), "--verify", "--device", "cpu"]) == 0
    assert capsys.readouterr() == ("identical\n", "")
    assert cli.main(["replay", str(path), "--device", "cpu"]) == 0
    assert record_of(Path(capsys.readouterr().out.strip())).addons == record_of(path).addons
    file = lora_tensors / "Ink.safetensors"
    before = file.read_bytes()
    try:
        file.write_bytes((lora_tensors / "sub" / "pen.safetensors").read_bytes())
        assert cli.main(["replay", str(path), "--verify", "--device", "cpu"]) == 1
        said = capsys.readouterr()
        assert said.out.startswith("differs: ")
        assert "What is not as it was then: LoRA Ink.\n" in said.out
        assert said.err.startswith("The LoRA Ink is another file now: ")
        assert said.err.endswith(f", then {then}.\n")
    finally:
        file.write_bytes(before)
