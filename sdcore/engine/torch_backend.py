"""The backend on torch and diffusers. Imported by name and by the worker thread alone: nobody else pays."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
from typing import TYPE_CHECKING, Any, Final, cast

from sdcore.engine.backend import Backend, Model, Plan, Report
from sdcore.engine.messages import GetView
from sdcore.spec.recipe import Problem, Recipe, RecipeError, check
from sdcore.spec.views import AnyView

if TYPE_CHECKING:
    import torch

_SETTINGS: Final = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}
"""Read by the libraries when they are imported: nothing of theirs may reach the terminal or the network."""

_IMPORTS: Final = (
    ("torch", "torch", 0.0),
    ("transformers", "transformers", 0.15),
    ("diffusers", "diffusers", 0.25),
    ("sdcore.diffusion.model", "Stable Diffusion's networks", 0.55),
    ("sdcore.diffusion.views", "the samplers", 0.98),
)
"""Module, what a person is told, and the share of the whole that is done before it."""

_NICENESS: Final = 5


def load(report: Report, *, device: str = "auto", polite: bool = False) -> Backend:
    """Import the libraries and choose the device. `polite` lowers this thread's priority on a CPU.

    Raises `ModelError` if there is no such device, `ImportError` if a library is missing or broken.
    """
    os.environ.update(_SETTINGS)
    for module, stage, fraction in _IMPORTS:
        report(stage, fraction)
        importlib.import_module(module)
        _quieten(module)

    import torch

    from sdcore import opening
    from sdcore.diffusion import devices, samplers
    from sdcore.diffusion.compare import compare
    from sdcore.diffusion.fork import ForkError, start_fork
    from sdcore.diffusion.model import ModelError
    from sdcore.diffusion.trace import Trace, start
    from sdcore.diffusion.trace_file import TraceError
    from sdcore.diffusion.vae import NotFiniteError
    from sdcore.diffusion.views import ViewError, ViewRequest, make_view
    from sdcore.library import config
    from sdcore.library.outputs import OutputError, save_image

    target = devices.choose_device(device)
    if polite and target.type == "cpu":
        _step_back()

    def open_model(ref: str, progress: Report) -> Model:
        return opening.open_model(ref, device=str(target), progress=progress)

    def view(trace: Any, opened: Any, command: GetView) -> AnyView:
        asked = ViewRequest(
            trace, opened, command.step, command.image, command.position,
            command.whole_run, command.every,
        )  # fmt: skip
        return make_view(command.what, asked)

    def plan(recipe: Recipe, opened: Any) -> Plan:
        recipe = check(recipe)
        noise = samplers.SD1_NOISE if opened is None else opened.training_noise
        try:
            sampler = samplers.sampler_for(recipe, noise)
        except ValueError as error:
            raise RecipeError([Problem("schedule", str(error))]) from error
        return Plan(
            tuple(sampler.timesteps), tuple(sampler.sigmas), sampler.init_noise_sigma, sampler.evals_per_step
        )

    def release() -> None:
        gc.collect()
        if target.type == "cuda":
            torch.cuda.empty_cache()

    report("ready", 1.0)
    return Backend(
        device=str(target),
        device_name=_name_of(target),
        dtype=str(devices.default_dtype(target)).removeprefix("torch."),
        open_model=open_model,
        run=cast(Any, start),
        fork=cast(Any, start_fork),
        load_trace=Trace.load,
        view=view,
        compare=cast(Any, compare),
        plan=plan,
        save=save_image,
        release=release,
        keeps_traces=lambda: config.load()[0].keep_traces,
        sentences=(ModelError, OutputError, NotFiniteError, ForkError, TraceError, ViewError),
    )


def _step_back() -> None:
    """Let whoever types go first. Linux keeps a niceness for each thread, and torch's pool, which this one
    makes later, inherits it; elsewhere the whole process steps back, which is this engine alone."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)


def _quieten(module: str) -> None:
    """Send a library's warnings to the log instead of its handler on stderr, and stop its progress bars."""
    if module not in ("diffusers", "transformers"):
        return
    settings = importlib.import_module(f"{module}.utils.logging")
    settings.disable_default_handler()
    settings.enable_propagation()
    settings.disable_progress_bar()


def _name_of(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{count} CPU core{'' if count == 1 else 's'}"
