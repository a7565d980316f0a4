"""The contract: every message survives the wire, and what stands for what."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from sdcore.engine import messages as m
from sdcore.spec import views as v
from sdcore.spec.found import Addon, ModelFile, VaeFile
from sdcore.spec.lineage import Origin, Parent, Segment
from sdcore.spec.recipe import Recipe

RECIPE = Recipe(
    prompt="ein Häuschen 家", steps=2, seed=2**62, sigmas=(3.0, 1.0), schedule="custom", sampler="Euler"
)
PROGRESS = m.JobProgress(job="a", index=1, total=2, timestep=1.5, sigma=0.5, seconds=(0.1,))
PREVIEW = m.JobPreview(job="a", index=1, image=0, width=2, height=1, rgb=bytes(range(6)))

INFO = v.TraceInfo(
    trace="a", recipe=RECIPE, segments=(Segment(start=0, recipe=RECIPE),), parent=Parent(image="x.png", step=1),
    images=("/x.png",), timesteps=(1.0, 0.0), sigmas=(3.0, 1.0, 0.0), seconds=(0.1,), recorded=1,
    init_noise_sigma=14.6, evals_per_step=1, latent_shape=(4, 8, 8), family="SD1", model_hash="0",
)  # fmt: skip
MODEL = ModelFile(name="m", path="/m", family="SD1", bytes=1, bundled=False, native_size=512)
PICTURE = v.Picture(width=2, height=1, rgb=bytes(range(6)))
TOKENS = v.PromptView(
    tokens=(v.TokenView(position=0, id=1, text="a", kind="word", attended=True, norm=1.0, distance=0.0),),
    left_out="b",
)
CHANNEL = v.ChannelView(
    mean=0.0, deviation=1.0, minimum=-1.0, maximum=1.0, low=-1.0, high=1.0, histogram=(1, 2), picture=PICTURE
)
VIEWS: list[v.AnyView] = [
    v.TextView(prompt=TOKENS, negative=None, shapes=(("ids", (1, 77)),)),
    v.LatentsView(channels=(CHANNEL,), latent_shape=(4, 8, 8), pixel_shape=(3, 64, 64), reduction=48.0),
    v.StepView(latents=PICTURE, noise=PICTURE, denoised=PICTURE, decoded=False),
    v.GuidanceView(norms=(1.0,), degrees=(2.0,), pull=None, strongest=0.0),
    v.AttentionView(position=1, word="a", step=None, heat=PICTURE, strongest=0.5),
    v.SheetView(picture=PICTURE, steps=(0, 1), columns=2),
]
COMPARED = v.CompareView(
    prompt=(v.WordRun(kind="kept", text="a"),), negative_prompt=(),
    parameters=(v.ParameterDifference(name="seed", first="1", second="2"),), divergence=(0.0, 1.0),
)  # fmt: skip

COMMANDS: list[m.AnyCommand] = [
    m.Generate(job="a", recipe=RECIPE),
    m.Cancel(job="a", keep=True),
    m.LoadModel(model="tiny"),
    m.PlanSchedule(request=3, recipe=RECIPE),
    m.SetPreview(width=80, height=80),
    m.Generate(job="b", recipe=RECIPE, fork=m.ForkPoint(source="a", step=1)),
    m.Generate(job="c", recipe=RECIPE, origin=Origin(styles=("oil",), varied_from="1.png")),
    m.OpenTrace(request=1, source="/x.png"),
    m.GetView(request=1, trace="a", what="attention", step=2, position=4, whole_run=True),
    m.SaveTrace(request=1, trace="a"),
    m.CompareTraces(request=1, first="a", second="/x.png"),
    m.GetFile(request=4, path=b"/\xff.png", offset=65536),
    m.BringFile(request=7, path="/x.png", size=2),
    m.WatchLibrary(request=8),
    m.FindImages(request=9, text="red house", first=1, count=2, at=3, rows=4),
    m.GetImages(request=10, ids=(1, 2), whole=True),
    m.GetTexts(request=11, path=b"/\xff.png"),
    m.GetThumbs(request=12, side=64, paths=(b"/\xff.png", b"/b.png")),
    m.GetPicture(request=13, side=512, path=b"/a.png"),
    m.GetLists(request=14),
    m.MarkImages(request=15, paths=(b"/a.png",), star=True, new=("sea",), old=("land",)),
    m.ThrowImages(request=16, paths=(b"/a.png",)),
    m.RestoreImages(request=17, thrown="x"),
    m.KeepSearch(request=18, name="n", query="star"),
    m.AddFolder(request=20, folder="/x", on=False),
    m.MakeSheet(request=19, paths=(b"/a.png",)),
    m.PutInput(ref="input:0123456789abcdef", offset=0, total=2, data=b"ab"),
    m.MoveJob(job="a", to=0),
    m.EditJob(job="a", recipe=RECIPE),
    m.HoldJobs(jobs=("a", "b"), held=False),
    m.RetryJobs(jobs=("a",)),
    m.RemoveJobs(jobs=("a",)),
    m.PauseQueue(paused=False),
    m.RunForever(recipe=RECIPE, group="g", label="l"),
    m.ListModels(request=5),
    m.ListAddons(request=6),
    m.ListVaes(request=7),
    m.GetStatus(),
    m.Shutdown(when_idle=False),
]
EVENTS: list[m.AnyEvent] = [
    m.EngineStarting(stage="torch", fraction=0.5),
    m.EngineReady(protocol=1, pid=1, device="cpu", device_name="CPU", dtype="float32", version="0"),
    m.EngineFailed(message="no"),
    m.ModelLoading(model="tiny", stage="UNet", fraction=0.1),
    m.ModelLoaded(model="tiny", family="SD1", device="cpu", dtype="float32", seconds=1.0, parameters=1,
                  native_size=64, model_hash="0"),
    m.ModelFailed(model="tiny", message="no"),
    m.JobQueued(job="a", position=0, recipe=RECIPE),
    m.JobStarted(job="a", recipe=RECIPE, timesteps=(1.0, 0.0), sigmas=(3.0, 1.0, 0.0)),
    PROGRESS,
    PREVIEW,
    m.JobFinished(job="a", images=(m.SavedImage(path="/x", recipe=RECIPE, width=8, height=8),), seconds=1.0,
                  steps_per_second=2.0),
    m.JobCancelled(job="a", index=0),
    m.JobFailed(job="a", message="no"),
    m.JobNotice(job="a", message="With less memory."),
    m.JobStalled(job="a", seconds=61.0, message="Wait."),
    m.JobKept(job="a", recipe=RECIPE, message="no", group="g", label="l"),
    m.QueueState(order=("a", "b"), seconds=(1.0, None), held={"a": ""}, paused=True, forever=RECIPE, notice="n"),
    m.SchedulePlanned(request=3, problem="no", memory_needed=1, memory_total=2),
    m.TraceOpened(request=1, info=INFO),
    m.TraceFailed(request=1, message="no"),
    *(m.ViewReady(request=1, trace="a", what="step", step=0, view=view) for view in VIEWS),
    m.Compared(request=1, view=COMPARED),
    m.TraceSaved(request=1, path="/x"),
    m.ModelsFound(request=5, models=(MODEL,), hashes={"/m": "0123456789"}, done=True),
    m.AddonsFound(request=6, addons=(Addon(kind="LoRA", name="a", path="/a", words=("b",)),)),
    m.VaesFound(request=7, vaes=(VaeFile(name="a", path="/a", families=("SD1",)),)),
    m.Status(pid=1, uptime_seconds=1.0, model=None, device="cpu", running=None, queued=0, clients=1),
    m.FilePart(request=4, offset=0, total=2, data=b"ab"),
    m.FileBrought(request=7, done=2, total=2, copy="/y.png"),
    m.LibraryChanged(version=3, done=1, total=2, running=True),
    m.ImagesFound(request=9, version=3, count=2, total=5, at=1, first=0, ids=b"x", rows=b"y"),
    m.ImagesKnown(request=10, rows=b"y", seen=2),
    m.TextsRead(request=11, texts=b"z", width=2, height=1, size=9, changed=1.5),
    m.ThumbMade(request=12, path=b"/\xff.png", side=64, data=b"w"),
    m.LibraryLists(request=14, tags=("sea",), searches={"n": "star"}, outputs="/o", folders=("/x",)),
    m.ImagesThrown(request=16, thrown="x", gone=(b"/a.png",), problems=("no",)),
    m.LibraryDone(request=19, path=b"/s.png", problem="no"),
    m.InputTaken(ref="input:0123456789abcdef"),
    m.LineLost(message="The line broke."),
    m.LineBack(),
]  # fmt: skip


def test_the_lists_here_cover_every_message() -> None:
    assert {type(command) for command in COMMANDS} == set(get_args(m.AnyCommand))
    assert {type(event) for event in EVENTS} == set(get_args(m.AnyEvent))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_commands_survive_the_wire(command: m.AnyCommand) -> None:
    assert m.decode_command(m.encode(command)) == command


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_survive_the_wire(event: m.AnyEvent) -> None:
    assert m.decode_event(m.encode(event)) == event


@pytest.mark.parametrize("data", [b"", b"\xc1", m.encode(EVENTS[0]), msgspec.msgpack.encode({"type": "Rm"})])
def test_what_is_no_command_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        m.decode_command(data)


def test_progress_joins_its_times() -> None:
    later = msgspec.structs.replace(PROGRESS, index=2, seconds=(0.2, 0.3))
    assert m.coalesce(PROGRESS, later) == msgspec.structs.replace(later, seconds=(0.1, 0.2, 0.3))


def test_a_newer_preview_stands_for_an_older_of_the_same_image_alone() -> None:
    newer = msgspec.structs.replace(PREVIEW, index=2)
    assert m.coalesce(PREVIEW, newer) == newer
    assert m.coalesce(PREVIEW, msgspec.structs.replace(newer, image=1)) is None
    assert m.coalesce(PREVIEW, msgspec.structs.replace(newer, job="b")) is None


@pytest.mark.parametrize("event", [event for event in EVENTS if not isinstance(event, m.LATEST_ONLY)])
def test_results_stand_for_nothing_else(event: m.AnyEvent) -> None:
    assert m.slot(event) is None
    assert m.coalesce(event, event) is None


def test_different_kinds_do_not_join() -> None:
    assert m.coalesce(PROGRESS, PREVIEW) is None
