"""How the backend opens models: where the card is too small, and where the network is to be made faster."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sdcore.diffusion import memory
from sdcore.diffusion.ladder import stand_on
from sdcore.diffusion.model import Model
from sdcore.diffusion.rungs import LADDER
from sdcore.engine.torch_thrift import TorchThrift
from sdcore.spec.recipe import Recipe

CUDA = torch.device("cuda", 0)
SMALL = Recipe(prompt="x", width=64, height=64, model="small")


def silent(stage: str, fraction: float) -> None:
    """Hears nothing."""


def test_what_runs_need_is_known_once_their_model_was_loaded(model: Model) -> None:
    thrift = TorchThrift(torch.device("cpu"))
    assert thrift.needs(SMALL) == (0, 0)
    thrift.open("small", lambda device, dtype: model, "off", silent)
    needed, there = thrift.needs(SMALL)
    assert 0 < needed < there


def test_a_model_that_the_card_has_no_room_for_waits_beside_it(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    monkeypatch.setattr(memory, "total", lambda device: 1 << 30)
    asked: list[tuple[str, torch.dtype | None]] = []

    def load(device: str, dtype: torch.dtype | None) -> Model:
        asked.append((device, dtype))
        if device != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return model

    thrift = TorchThrift(CUDA)
    opened = thrift.open("small", load, "off", silent)
    try:
        assert asked == [("cuda:0", None), ("cpu", torch.bfloat16)]
        assert opened.device == CUDA
        assert opened.thrift.rung.name == "model offload"
        assert {weight.device.type for weight in opened.network.parameters()} == {"cpu"}
        assert thrift.needs(SMALL)[1] == 1 << 30
    finally:
        stand_on(model, LADDER[0], SMALL)


def test_a_machine_without_room_says_so(model: Model) -> None:
    def load(device: str, dtype: torch.dtype | None) -> Model:
        raise torch.OutOfMemoryError("not enough memory")

    with pytest.raises(torch.OutOfMemoryError):
        TorchThrift(torch.device("cpu")).open("small", load, "off", silent)


@pytest.mark.parametrize("fault", [None, RuntimeError("no compiler"), torch.OutOfMemoryError("full")])
def test_the_warm_up_is_shown_and_its_failure_told_with_the_first_job(
    model: Model, monkeypatch: pytest.MonkeyPatch, fault: Exception | None
) -> None:
    def compiled(call: Any, dynamic: bool) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if fault is not None:
                raise fault
            return call(*args, **kwargs)

        return run

    monkeypatch.setattr(torch, "compile", compiled)
    stages: list[str] = []
    thrift = TorchThrift(torch.device("cpu"))
    try:
        thrift.open(
            "small", lambda device, dtype: model, "compile", lambda stage, fraction: stages.append(stage)
        )
        assert "compiled for this size" in stages[0]
        told = thrift.notices()
        assert [("no compiler" in text) for text in told] == ([True] if type(fault) is RuntimeError else [])
        assert thrift.notices() == []
        assert ("forward" in model.network.__dict__) == (fault is None)
    finally:
        if model.thrift.faster is not None:
            model.thrift.faster.enable(False)
        model.thrift.faster = None


def test_speed_gives_way_to_memory(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda call, dynamic: call)
    try:
        TorchThrift(torch.device("cpu")).open("small", lambda device, dtype: model, "compile", silent)
        for rung in LADDER[1:]:
            stand_on(model, rung, SMALL)
            assert model.network.forward is not model.thrift.faster
        stand_on(model, LADDER[0], SMALL)
        assert model.network.forward is model.thrift.faster
    finally:
        assert model.thrift.faster is not None
        model.thrift.faster.enable(False)
        model.thrift.faster = None
