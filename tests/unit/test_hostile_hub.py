"""A hub that says hostile things in all that it answers: what comes of it on the screen, in logs and on the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcore.diffusion.model import ModelError
from sdcore.library import checkpoints
from sdcore.library.folders import hub_cache
from sdcore.opening import open_model
from tests.hostile import ESCAPES, code_mark, names, obeyed, texts, untold
from tests.hub_server import COMMIT, Hub
from tests.unit.test_hub import TOKEN, model_there, server
from tui import cli

__all__ = ["model_there", "server"]

TEXTS = tuple(texts("hu"))
RAW = tuple(text.encode() for text in TEXTS)
INDEX = "model_index.json"


def listed(*files: str, **said: object) -> dict[str, object]:
    """What a hub says of a model of these files, besides what is `said`."""
    return {
        "id": "them/x",
        "sha": COMMIT,
        "siblings": [{"rfilename": name, "size": 2} for name in files],
        **said,
    }


def _index(hub: Hub, text: str) -> None:
    hub.listings["them/x"] = listed(INDEX)
    hub.contents[INDEX] = json.dumps({"_class_name": text, text: [text, text]}).encode()


def _files(hub: Hub, text: str) -> None:
    """Names that want to be more, some of them out of the cache."""
    hostile = [
        name
        for one in names("hu")[2:]
        for name in (f"unet/{one}.json", f"{one}/x.json", f"vae/{one}.safetensors")
    ]
    away = [
        "../../../away.json",
        "/tmp/away.json",
        "unet/../../../../away.json",
        "unet/..\\away.json",
        "unet/a\0b.json",
    ]
    hub.listings["them/x"] = listed(INDEX, *hostile, *away)
    hub.contents |= {Path(name).name: b"{}" for name in (*hostile, *away)}
    hub.contents[INDEX] = json.dumps({"_class_name": "StableDiffusionPipeline"}).encode()


def _error(status: int) -> Callable[[Hub, str], None]:
    def refuse(hub: Hub, text: str) -> None:
        said = json.dumps({"error": text, "errors": [{"message": text}], "message": text})
        hub.refusals["them/x"] = (status, said.encode())
        hub.headers |= {"X-Error-Message": _header(text), "X-Error-Code": _header(text)}

    return refuse


def _header(text: str) -> str:
    return text.encode().decode("latin-1").replace("\r", "").replace("\n", "")


def _headers(hub: Hub, text: str) -> None:
    _index(hub, "StableDiffusionPipeline")
    for name in ("ETag", "X-Repo-Commit", "X-HF-Warning", "X-Linked-Etag", "Location"):
        hub.headers[name] = _header(text)


def _commit(hub: Hub, text: str) -> None:
    hub.listings["them/x"] = listed(INDEX, sha=text, id=text, author=text, tags=[text], pipeline_tag=text)
    hub.contents[INDEX] = b"{}"
    hub.headers["X-Repo-Commit"] = "../../../../away"


def _no_listing(hub: Hub, text: str) -> None:
    hub.refusals["them/x"] = (200, text.encode())


def _numbers(hub: Hub, text: str) -> None:
    hub.listings["them/x"] = {"id": "them/x", "sha": COMMIT, "siblings": [
        {"rfilename": INDEX, "size": -1}, {"rfilename": "unet/a.json", "size": 1 << 70}, {"rfilename": text},
    ]}  # fmt: skip
    hub.contents[INDEX] = b'{"_class_name": "StableDiffusionPipeline"}'
    hub.contents["a.json"] = b"{}"


ANSWERS: dict[str, Callable[[Hub, str], None]] = {
    "the index of the model": _index,
    "names of files": _files,
    "headers": _headers,
    "a state": _commit,
    "no listing": _no_listing,
    "numbers": _numbers,
    **{f"error {status}": _error(status) for status in (400, 401, 403, 404, 416, 429, 500, 503)},
}


def inside(folder: Path) -> bool:
    """Whether nothing came to lie beside the cache of the hub."""
    away = [path for path in folder.rglob("*away*") if hub_cache() not in path.parents]
    return not away and not list(Path("/tmp").glob("away*"))


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_the_hub_says_is_a_sentence(
    answer: str,
    server: Hub,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for text in TEXTS[:: len(ESCAPES) // 4]:
        ANSWERS[answer](server, text)
        with pytest.raises(ModelError) as told:
            open_model("them/x", device="cpu")
        said = str(told.value)
        assert said.startswith("them/x ")
        assert said.endswith(".")
        assert "\n" not in said
        assert untold(said) == []
        assert cli.main(["generate", "a house", "--model", "them/x"]) == 1
        assert checkpoints.find_models() is not None
        heard = "".join(capfd.readouterr())
        assert untold(heard) == []
        assert obeyed((heard + said).encode()) == []
        assert TOKEN not in heard + said + caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("sdcore")]
    assert obeyed("".join(ours).encode()) == []
    assert inside(tmp_path)


def test_what_the_hub_warns_of_is_not_written_to_the_terminal(server: Hub) -> None:
    """In a process of its own, for the library takes hold of stderr when it is imported."""
    _headers(server, TEXTS[0])
    command = (sys.executable, "-m", "tui.cli", "generate", "a house", "--model", "them/x")
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    said = done.stderr.decode()
    assert said.startswith("them/x is not on the hub")
    assert said.count("\n") == 1
    assert untold(said) == []


def test_what_was_downloaded_of_hostile_files_is_shown_as_text(
    server: Hub, model_there: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(names("hu")[2:8]):
        (model_there / "unet" / f"{name}.json").write_text(json.dumps({name: TEXTS[number]}))
    assert open_model("them/small", device="cpu").family == "SD1"
    assert cli.main(["models"]) == 0
    heard = "".join(capfd.readouterr())
    assert "them/small" in heard
    assert untold(heard) == []
    assert inside(tmp_path)
    assert code_mark("hu", 2)  # their names are on the disk as they are
