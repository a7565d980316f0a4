"""The backend on torch and diffusers. Imported by name and by the worker thread alone: nobody else pays."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

from sdcore.engine.backend import Backend, Model, NoBackendError, Plan, Report
from sdcore.engine.messages import GetView
from sdcore.spec.lineage import Segment
from sdcore.spec.recipe import Recipe, RecipeError, check
from sdcore.spec.suiting import check_for
from sdcore.spec.views import AnyView

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from PIL import Image

_SETTINGS: Final = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}
"""Read by the libraries when they are imported: nothing of theirs may reach the terminal or the network."""

_IMPORTS: Final = (
    ("torch", "torch", 0.0),
    ("transformers", "transformers", 0.22),
    ("diffusers", "diffusers", 0.35),
    ("transformers.models.clip.modeling_clip", "Stable Diffusion's networks", 0.58),
    ("diffusers.models.autoencoders.autoencoder_kl", "Stable Diffusion's networks", 0.8),
    ("diffusers.models.unets.unet_2d_condition", "Stable Diffusion's networks", 0.95),
    ("sdcore.diffusion.views", "the samplers", 0.96),
    ("sdcore.opening", "the models", 0.98),
)
"""Module, what a person is told, and the share of the whole that is done before it."""

_NICENESS: Final = 5


def load(report: Report, *, device: str = "auto", polite: bool = False, threads: int = 0) -> Backend:
    """Import the libraries and choose the device. `polite` lowers this thread's priority on a CPU, where `threads`
    share the work, as many as torch likes if 0.

    Raises `NoBackendError` if there is no such device, `ImportError` if a library is missing or broken.
    """
    os.environ.update(_SETTINGS)
    with _uncollected():
        for module, stage, fraction in _IMPORTS:
            report(stage, fraction)
            importlib.import_module(module)
            _quieten(module)

    import torch

    from sdcore import opening
    from sdcore.diffusion import devices, memory, schedulers
    from sdcore.diffusion.addons.lora import AddonError
    from sdcore.diffusion.compare import compare
    from sdcore.diffusion.fork import ForkError, start_fork
    from sdcore.diffusion.model import ModelError
    from sdcore.diffusion.passes import course_for
    from sdcore.diffusion.repaint import MaskError, put_back
    from sdcore.diffusion.trace import Trace, start
    from sdcore.diffusion.trace_file import TraceError
    from sdcore.diffusion.vae import NotFiniteError
    from sdcore.diffusion.views import ViewError, ViewRequest, make_view
    from sdcore.engine.torch_thrift import TorchThrift
    from sdcore.library import config
    from sdcore.library.addons import use_of
    from sdcore.library.inputs import InputError, keep_inputs
    from sdcore.library.outputs import OutputError, save_image

    try:
        target = devices.choose_device(device)
    except ModelError as fault:
        raise NoBackendError(str(fault)) from fault
    devices.make_present(target)
    if polite and target.type == "cpu":
        _step_back()
        _spare_a_core()
    if threads and target.type == "cpu":
        torch.set_num_threads(threads)

    thrift = TorchThrift(target)
    now: list[Any] = []

    def open_model(ref: str, vae: str, progress: Report, checked: Callable[[], None]) -> Model:
        def make_room() -> None:
            now.clear()
            checked()

        def load(device: str, dtype: torch.dtype | None) -> Any:
            return opening.open_model(
                ref, vae=vae, device=device, dtype=dtype, progress=progress, checked=make_room
            )

        model = thrift.open(ref, load, cast(Any, config.load()[0].compile), progress)
        now[:] = [model]
        return model

    def notices() -> list[str]:
        named = [sentence for model in now for sentence in model.addons.notices()]
        return [*thrift.notices(), *opening.SHELF.notices(), *named]

    def save(image: Image.Image, recipe: Recipe, *, segments: tuple[Segment, ...], **facts: Any) -> Path:
        named: dict[str, Any] = {}
        for one in (recipe, *(segment.recipe for segment in segments)):
            # An image that is made is saved, whatever became of the files meanwhile.
            with contextlib.suppress(RecipeError, AddonError):
                named |= {file.path: file for model in now for file in model.addons.files(one)}
        uses = tuple(use_of(file) for file in named.values())
        where = {name: said for model in now for name, said in _where(target, model).items()}
        return save_image(image, recipe, segments=segments, addons=uses, **where, **facts)

    def view(trace: Any, opened: Any, command: GetView) -> AnyView:
        asked = ViewRequest(
            trace, opened, command.step, command.image, command.position,
            command.whole_run, command.every,
        )  # fmt: skip
        return make_view(command.what, asked)

    def plan(recipe: Recipe, opened: Any) -> Plan:
        recipe = check(recipe) if opened is None else check_for(recipe, opened.family)
        noise = schedulers.SD1_NOISE if opened is None else opened.training_noise
        course = course_for(recipe, noise, "" if opened is None else opened.family)
        return Plan(
            course.timesteps, course.sigmas, course.init_noise_sigma, course.evals_per_step,
            *thrift.needs(recipe),
        )  # fmt: skip

    def finish(opened: Any, image: Image.Image, recipe: Recipe) -> Image.Image:
        return put_back(image, recipe, opened.open_picture)

    report("ready", 1.0)
    return Backend(
        device=str(target),
        device_name=_name_of(target),
        dtype=str(devices.default_dtype(target)).removeprefix("torch."),
        open_model=open_model,
        replace_vae=cast(Any, opening.with_vae),
        run=cast(Any, start),
        fork=cast(Any, start_fork),
        load_trace=Trace.load,
        view=view,
        compare=cast(Any, compare),
        plan=plan,
        keep=keep_inputs,
        finish=finish,
        save=save,
        release=thrift.release,
        beside=_alone,
        memory_bytes=memory.total(target),
        settle=cast(Any, thrift.settle),
        climb=cast(Any, thrift.climb),
        notices=notices,
        keeps_traces=lambda: config.load()[0].keep_traces,
        sentences=(
            ModelError,
            AddonError,
            OutputError,
            NotFiniteError,
            ForkError,
            TraceError,
            ViewError,
            MaskError,
            InputError,
        ),
    )


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Import without the collector, which would look through all that is there again and again; what was imported
    stays, and it need not look at that later either."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def _step_back() -> None:
    """Let whoever types go first. Linux keeps a niceness for each thread, and torch's pool, which this one
    makes later, inherits it; elsewhere the whole process steps back, which is this engine alone."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)


def _alone() -> None:
    """Have this thread compute alone.

    OpenMP keeps a pool for each thread that shares work out, and from the second one on all of them sleep between two
    pieces of work, which halves the speed of the worker's many small ones.
    """
    import torch

    torch.set_num_threads(1)


def _spare_a_core() -> None:
    """Let the app have a core of its own where there are several, unless somebody said how many to use."""
    import torch

    from sdcore.diffusion import devices

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(devices.sampling_threads(_cores(), torch.get_num_threads()))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quieten(module: str) -> None:
    """Send a library's warnings to the log instead of its handler on stderr, and stop its progress bars."""
    if module not in ("diffusers", "transformers"):
        return
    settings = importlib.import_module(f"{module}.utils.logging")
    settings.disable_default_handler()
    settings.enable_propagation()
    settings.disable_progress_bar()


def _where(device: torch.device, model: Any) -> dict[str, Any]:
    """What an image says of where it was made, as `record.WHERE` names it."""
    import torch

    from sdcore.diffusion.rungs import LADDER

    rung, faster = model.thrift.rung, model.thrift.faster
    where = {
        "device": "cpu" if device.type == "cpu" else _name_of(device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "torch": str(torch.__version__),
        "sparing": "" if rung is LADDER[0] else rung.name,
        "faster": faster.mode if faster is not None and faster.enabled else "",
    }
    if device.type == "cpu":
        # How many share the work, and with which instructions, decides in which order sums are taken.
        where |= {"threads": torch.get_num_threads(), "instructions": torch.backends.cpu.get_cpu_capability()}
    return where


def _name_of(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = _cores()
    return f"{count} CPU core{'' if count == 1 else 's'}"
