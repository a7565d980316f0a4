"""The engine of another machine, over a real ssh on loopback: the engine's process and its model are real, too."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from sdcore.engine import messages as m
from sdcore.engine.remote import RemoteClient
from sdcore.engine.ssh import Line, check_target, is_link
from sdcore.engine.wire import EngineError
from sdcore.spec.recipe import Recipe
from tests.ssh_server import SshServer, needs_ssh, serving_ssh
from tui import cli

SLOW = 120.0
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'Queue.join':RuntimeWarning")  # of asyncssh's own
RECIPE = Recipe(prompt="a red house", steps=4, seed=3)


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SshServer]:
    near, far, keys = tmp_path / "near", tmp_path / "far", tmp_path / "keys"
    for folder in (near, far, keys):
        folder.mkdir(mode=0o700)
    monkeypatch.setenv("SDTUI_HOME", str(near))
    async with serving_ssh(keys, far) as server:
        yield server
    await _stop_engine(far)


async def _stop_engine(home: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tui.cli", "stop", env={**os.environ, "SDTUI_HOME": str(home)},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await process.wait()


def a_line(box: SshServer, command: str = "") -> Line:
    return Line("box", ssh=box.ssh, remote=command or "python -m tui.cli")


async def told_until(client: RemoteClient, *kinds: type) -> list[m.AnyEvent]:
    events: list[m.AnyEvent] = []
    async with asyncio.timeout(SLOW):
        async for event in client.events():
            events.append(event)
            if isinstance(event, kinds):
                return events
    return events


@needs_ssh
async def test_images_go_over_in_both_directions(box: SshServer, tmp_path: Path) -> None:
    client = RemoteClient(a_line(box))
    await client.connect()
    client.send(m.Generate(job="a", recipe=RECIPE))
    finished = (await told_until(client, m.JobFinished, m.JobFailed, m.EngineFailed))[-1]
    assert isinstance(finished, m.JobFinished)
    here = Path(finished.images[0].path)
    assert here.is_relative_to(tmp_path / "near")
    there = next((tmp_path / "far" / "outputs").rglob("*.png"))
    assert here.read_bytes() == there.read_bytes()
    client.send(m.OpenTrace(request=1, source=str(here)))
    opened = (await told_until(client, m.TraceOpened, m.TraceFailed))[-1]
    assert isinstance(opened, m.TraceOpened)
    assert opened.info.images == (str(here),)
    picture = tmp_path / "start.png"
    Image.effect_noise((128, 128), 64).convert("RGB").save(picture)
    client.send(
        m.Generate(job="b", recipe=msgspec.structs.replace(RECIPE, init_image=str(picture), strength=0.5))
    )
    finished = (await told_until(client, m.JobFinished, m.JobFailed, m.EngineFailed))[-1]
    assert isinstance(finished, m.JobFinished), finished
    kept = [path.name for path in (tmp_path / "far" / "inputs").glob("*.png")]
    assert [f"{finished.images[0].recipe.init_image.removeprefix('input:')}.png"] == kept
    await client.close()


@needs_ssh
async def test_a_line_that_breaks_is_opened_again_and_the_run_goes_on(box: SshServer) -> None:
    client = RemoteClient(a_line(box))
    await client.connect()
    client.send(m.Generate(job="a", recipe=Recipe(prompt="a red house", steps=200, seed=3)))
    await told_until(client, m.JobProgress)
    box.drop()
    events = await told_until(client, m.JobFinished, m.JobFailed, m.EngineFailed)
    kinds = [type(event) for event in events]
    assert kinds[-1] is m.JobFinished
    assert kinds.index(m.LineLost) < kinds.index(m.LineBack)
    assert events[-1].images[0].recipe.steps == 200
    await client.close()


@needs_ssh
async def test_what_ended_while_there_was_no_line_is_told(box: SshServer, tmp_path: Path) -> None:
    client = RemoteClient(a_line(box))
    await client.connect()
    client.send(m.Generate(job="a", recipe=RECIPE))
    await told_until(client, m.JobQueued)
    box.drop()
    async with asyncio.timeout(SLOW):
        while not list((tmp_path / "far" / "outputs").rglob("[0-9]*.png")):
            await asyncio.sleep(0.05)
    events = await told_until(client, m.JobFinished, m.JobFailed, m.EngineFailed)
    assert isinstance(events[-1], m.JobFinished)
    assert len(list((tmp_path / "far" / "outputs").rglob("*.png"))) == 1
    await client.close()


@needs_ssh
async def test_no_sdtui_there_is_said(box: SshServer) -> None:
    line = a_line(box, "no-such-sdtui")
    with pytest.raises(EngineError, match=r"no no-such-sdtui on box.*--remote-command"):
        await asyncio.to_thread(line.open, silent=True)
    line.close()


@needs_ssh
async def test_no_machine_there_is_said(box: SshServer) -> None:
    await box.stop()
    line = a_line(box)
    with pytest.raises(EngineError, match=r"No line to box: .*refused"):
        await asyncio.to_thread(line.open, silent=True)
    line.close()


@pytest.mark.parametrize("target", ["-oProxyCommand=x", "", "a b", "user@", "box;ls", "a@b@c", "$(x)"])
def test_what_names_no_machine_never_reaches_ssh(target: str) -> None:
    with pytest.raises(EngineError, match="names no machine"):
        check_target(target)


@pytest.mark.parametrize("target", ["box", "me@box", "me@10.0.0.7", "ssh://me@box:2222", "me@[fe80::1]"])
def test_machines(target: str) -> None:
    assert check_target(target) == target


def test_a_port_makes_it_a_url() -> None:
    assert check_target("me@box:2222") == "ssh://me@box:2222"


@pytest.mark.parametrize("path", ["/etc/passwd", "/tmp/sdtui-x.sock", "/tmp/../tmp/sdtui-00.sock", ""])
def test_a_gate_is_put_nowhere_else(path: str) -> None:
    assert not is_link(path)


@needs_ssh
async def test_what_the_other_machine_says_is_printed_here(
    box: SshServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "near" / "config" / "config.toml"
    config.parent.mkdir(mode=0o700)
    config.write_text(f'ssh = "{" ".join(box.ssh)}"\nremote_command = "python -m tui.cli"\n')
    client = RemoteClient(a_line(box))
    await client.connect()
    assert await asyncio.to_thread(cli.main, ["--host", "box", "status", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["clients"] >= 1
    assert await asyncio.to_thread(cli.main, ["--host=box", "models"]) == 0
    assert str(tmp_path / "far") not in capfd.readouterr().out  # the bundled model alone
    assert await asyncio.to_thread(cli.main, ["--host", "box", "stop"]) == 0
    assert capfd.readouterr().out == "The engine has ended.\n"
    await client.close()
