"""What only a GPU does, with fakes for its streams, events and graphs; and that all of it gives way where it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from sdcore.diffusion import devices, landing, recording, speed
from sdcore.diffusion.landing import Landing
from sdcore.diffusion.loop import sample
from sdcore.diffusion.model import Model
from sdcore.diffusion.recording import landed
from sdcore.diffusion.recordings import Recording
from sdcore.diffusion.speed import Faster, plainly
from sdcore.diffusion.timing import Clock, Measured
from sdcore.diffusion.trace import start
from sdcore.spec.recipe import Recipe

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")


class Event:
    """An event of a GPU that gets there when the test says so."""

    made: ClassVar[list[Event]] = []
    log: ClassVar[list[str]] = []

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        self.number = len(Event.made)
        self.reached = False
        Event.made.append(self)

    def record(self, stream: Any) -> None:
        Event.log.append(f"record {self.number}")

    def query(self) -> bool:
        return self.reached

    def synchronize(self) -> None:
        Event.log.append(f"wait {self.number}")
        self.reached = True

    def elapsed_time(self, other: Event) -> float:
        return 1000.0 * (other.number - self.number)


class Stream:
    def wait_stream(self, other: Any) -> None:
        Event.log.append("follow")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Event.made.clear()
    Event.log.clear()

    @contextmanager
    def on(stream: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream())
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    landing._side_stream.cache_clear()
    yield
    landing._side_stream.cache_clear()


class OnGpu:
    """A tensor that says it is on a GPU."""

    def __init__(self, value: torch.Tensor) -> None:
        self.value, self.device = value, CUDA


@pytest.fixture
def copies(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "_copied", lambda tensor, stream: tensor.value)


@pytest.mark.usefixtures("gpu")
def test_a_pass_on_a_gpu_is_timed_without_waiting_for_it() -> None:
    clock = Clock(CUDA)
    laps = []
    for _ in range(3):
        clock.begin()
        laps.append(clock.end())
    assert Event.log == [
        "record 0", "record 1", "record 2", "record 3", "wait 1", "record 4", "record 5", "wait 3",
    ]  # fmt: skip
    assert [lap.done for lap in laps] == [True, True, False]
    assert laps[2].seconds == 1.0
    assert Event.log[-1] == "wait 5"


def test_a_pass_on_a_cpu_is_over_when_it_is_launched() -> None:
    clock = Clock(CPU)
    clock.begin()
    lap = clock.end()
    assert (type(lap), lap.done, lap.seconds >= 0) == (Measured, True, True)


def test_what_is_on_the_cpu_has_landed() -> None:
    tensor = torch.ones(2)
    coming = Landing([tensor])
    assert (coming.done, coming.wait()[0] is tensor) == (True, True)


@pytest.mark.usefixtures("copies")
def test_what_is_on_a_gpu_lands_later() -> None:
    pinned = torch.ones(1, 4, 2, 2).to(memory_format=torch.channels_last)
    coming = Landing([OnGpu(pinned)])  # type: ignore[list-item]
    assert Event.log == ["follow", "record 0"]
    assert not coming.done
    there = coming.wait()[0]
    assert coming.done
    assert (torch.equal(there, pinned), there.is_contiguous(), there is pinned) == (True, True, False)


class Late:
    """A landing that is there when the test says so."""

    there: ClassVar[set[int]] = set()

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        self.tensors, self.number = tensors, int(tensors[0].flatten()[0])

    @property
    def done(self) -> bool:
        return self.number in Late.there

    def wait(self) -> list[torch.Tensor]:
        return self.tensors


def test_steps_are_kept_in_their_order_when_they_have_landed(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(10))
    monkeypatch.setattr(recording, "Landing", Late)
    monkeypatch.setattr(
        recording, "_kept_of", lambda step: [torch.tensor(next(numbers)), step.denoised, step.latents]
    )
    Late.there = set()
    kept: list[int] = []
    recipe = Recipe(prompt="x", width=64, height=64, steps=4, sampler="Euler")
    seen = []
    for step in landed(sample(model, recipe), lambda step: kept.append(step.index)):
        seen.append((step.index, list(kept)))
        Late.there |= {0, 1} if step.index == 1 else {3} if step.index == 2 else set()
    assert seen == [(0, []), (1, []), (2, [0, 1]), (3, [0, 1])]
    assert kept == [0, 1, 2, 3]


def test_a_run_that_is_left_keeps_what_it_made(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Landing, "done", False)
    trace, steps = start(model, Recipe(prompt="x", width=64, height=64, steps=4, sampler="Euler"))
    next(steps)
    next(steps)
    assert len(trace) == 0
    steps.close()  # type: ignore[attr-defined]
    assert len(trace) == 2


class Network(nn.Module):
    """Counts its calls; fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.weight = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(
        self, given: torch.Tensor, t: torch.Tensor, extra: dict[str, Any] | None = None
    ) -> torch.Tensor:
        self.calls += 1
        return given * self.weight + t


@pytest.fixture
def graphs(gpu: None, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []

    class Recorded:
        def __init__(self, call: Callable[..., Any], leaves: Any, shape: Any, device: Any, pool: Any) -> None:
            self.call, self.shape = call, shape
            made.append([leaf.shape for leaf in leaves if isinstance(leaf, torch.Tensor)])

        def __call__(self, leaves: Any) -> Any:
            args, kwargs = speed.pytree.tree_unflatten(list(leaves), self.shape)
            return self.call(*args, **kwargs)

    monkeypatch.setattr(speed, "Recording", Recorded)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    return made


def test_each_size_is_recorded_once(graphs: list[Any]) -> None:
    network, told = Network(), []
    faster = Faster(network, "graphs", CUDA, told.append)
    faster.enable(True)
    for side in (2, 2, 2):
        assert torch.equal(network(torch.ones(side), torch.tensor(1.0)), torch.full((side,), 2.0))
    assert (len(graphs), len(told)) == (1, 1)
    network(torch.ones(3, 2), torch.tensor(1.0))
    network(torch.ones(2), torch.tensor(5.0))
    network(torch.ones(2), torch.tensor(1.0), extra={"scale": 1.0})
    assert len(graphs) == 3


def test_few_recordings_are_kept(graphs: list[Any]) -> None:
    network = Network()
    Faster(network, "graphs", CUDA, lambda text: None).enable(True)
    for rows in (1, 2, 3, 4, 5, 1):
        network(torch.ones(rows, 2), torch.tensor(0.0))
    assert len(graphs) == 6


def test_whatever_fails_the_network_goes_on_as_it_is(
    graphs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(speed, "Recording", refuse)
    network, told = Network(), []
    faster = Faster(network, "graphs", CUDA, told.append)
    faster.enable(True)
    for _ in range(2):
        assert torch.equal(network(torch.ones(2), torch.tensor(1.0)), torch.full((2,), 2.0))
    assert told[1:] == [faster.problem]
    assert "capturing)" in faster.problem
    assert "forward" not in network.__dict__
    faster.enable(True)
    assert "forward" not in network.__dict__  # not tried again


def full(*args: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def full_behind_the_end_of_a_recording(*args: Any) -> Any:
    try:
        full()
    finally:
        raise RuntimeError("operation failed due to a previous error during capture")


@pytest.mark.parametrize("refuse", [full, full_behind_the_end_of_a_recording])
def test_full_memory_is_for_the_ladder(
    graphs: list[Any], monkeypatch: pytest.MonkeyPatch, refuse: Callable[..., Any]
) -> None:
    monkeypatch.setattr(speed, "Recording", refuse)
    network = Network()
    faster = Faster(network, "graphs", CUDA, lambda text: None)
    faster.enable(True)
    with pytest.raises(torch.OutOfMemoryError):
        network(torch.ones(2), torch.tensor(1.0))
    assert faster.problem == ""
    assert faster.possible


class Capture:
    """`torch.cuda.graph` as far as Python sees it: it leaves its own stream behind where what is inside fails."""

    log: ClassVar[list[Any]] = []

    def __init__(self, graph: Any, pool: Any, capture_error_mode: str) -> None:
        self.log.append(("capture", pool, capture_error_mode))

    def __enter__(self) -> None:
        self.log.append("begin")

    def __exit__(self, kind: Any, *fault: object) -> None:
        self.log.append("end")
        if kind is not None:
            raise RuntimeError("operation failed due to a previous error during capture")


@pytest.fixture
def capture(gpu: None, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    Capture.log.clear()
    note = Capture.log.append

    class Graph:
        def replay(self) -> None:
            note("replay")

    @contextmanager
    def present(device: torch.device) -> Iterator[None]:
        note(("present", device))
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", Capture)
    monkeypatch.setattr(torch.cuda, "device", present)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: note("stream as before"))
    monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: note("clear"), raising=False)
    monkeypatch.setattr(
        torch._C, "_cuda_endAllocateToPool", lambda number, pool: note(("close", pool)), raising=False
    )
    return Capture.log


def test_a_recording_is_made_on_its_device_with_a_workspace_of_its_own(capture: list[Any]) -> None:
    network = Network()
    leaves, shape = speed.pytree.tree_flatten(((torch.ones(2), torch.tensor(1.0)), {}))
    recording = Recording(network.forward, leaves, shape, CPU, "pool")
    assert capture == [
        ("present", CPU), "clear", ("capture", "pool", "thread_local"), "begin", "end", "stream as before", "clear",
    ]  # fmt: skip
    assert network.calls == 3
    given = torch.full((2,), 5.0)
    made = recording([given, torch.tensor(2.0)])
    assert capture[-1] == "replay"
    assert torch.equal(recording._inputs[0], given)
    assert made is not recording._output


def test_a_recording_that_fails_leaves_nothing_behind(capture: list[Any]) -> None:
    def refuse(*given: Any) -> Any:
        if capture:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(RuntimeError, match="previous error") as failed:
        Recording(refuse, [torch.ones(2)], speed.pytree.tree_structure(((0,), {})), CPU, "pool")
    assert isinstance(failed.value.__context__, torch.OutOfMemoryError)
    assert capture[-4:] == ["end", ("close", "pool"), "stream as before", "clear"]


def test_graphs_need_a_gpu() -> None:
    network = Network()
    Faster(network, "graphs", CPU, lambda text: pytest.fail(text)).enable(True)
    assert "forward" not in network.__dict__


def test_a_compiler_that_is_not_there_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", lambda call, dynamic: refuse)
    network, told = Network(), []
    Faster(network, "compile", CPU, told.append).enable(True)
    assert torch.equal(network(torch.ones(2), torch.tensor(1.0)), torch.full((2,), 2.0))
    assert "C++" in told[-1]


def test_a_compiled_network_is_the_same_but_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a backend that traces and runs what it traced: what a compiler makes of it is the compiler's matter."""
    compiled = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda call, dynamic: compiled(call, dynamic=dynamic, backend="eager")
    )
    network = Network()
    faster = Faster(network, "compile", CPU, lambda text: None)
    faster.enable(True)
    with torch.inference_mode():
        made = network(torch.ones(2), torch.tensor(1.0))
    assert torch.equal(made, torch.full((2,), 2.0))
    assert faster.problem == ""


def test_who_looks_into_the_layers_gets_the_network_itself(graphs: list[Any]) -> None:
    network = Network()
    Faster(network, "graphs", CUDA, lambda text: None).enable(True)
    with plainly(network):
        network(torch.ones(2), torch.tensor(1.0))
    assert graphs == []
    network(torch.ones(2), torch.tensor(1.0))
    assert len(graphs) == 1
    plain = Network()
    with plainly(plain):
        plain(torch.ones(2), torch.tensor(1.0))
    assert plain.calls == 1


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_a_gpu_gets_the_precision_that_its_units_know(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert devices.default_dtype(CUDA) == dtype


@pytest.mark.parametrize(("plain", "half", "dtype"), [(4.0, 1.0, torch.bfloat16), (1.0, 0.9, torch.float32)])
def test_a_cpu_gets_bfloat16_for_large_models_where_that_is_faster(
    monkeypatch: pytest.MonkeyPatch, plain: float, half: float, dtype: torch.dtype
) -> None:
    measured: list[torch.dtype] = []

    def seconds(kind: torch.dtype) -> float:
        measured.append(kind)
        return {torch.float32: plain, torch.bfloat16: half}[kind]

    monkeypatch.setattr(devices, "_matmul_seconds", seconds)
    devices.has_fast_bfloat16.cache_clear()
    try:
        assert devices.default_dtype(CPU, 1 << 20) == torch.float32
        assert measured == []
        assert [devices.default_dtype(CPU, 1 << 32) for _ in range(2)] == [dtype] * 2
        assert len(measured) == 2
    finally:
        devices.has_fast_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("cores", "threads", "sampling"), [(1, 1, 1), (2, 2, 2), (4, 4, 3), (16, 16, 15), (16, 8, 8)]
)
def test_a_core_is_spared_where_there_are_several(cores: int, threads: int, sampling: int) -> None:
    assert devices.sampling_threads(cores, threads) == sampling
