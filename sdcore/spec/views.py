"""What can be seen of a recorded run, as data: made by `sdcore.diffusion.views`, shown by the app. No torch.

Steps are forward passes, numbered from 0. Pictures are RGB, row by row from the top left.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """`width * height * 3` bytes of RGB."""

    width: int
    height: int
    rgb: bytes


class TraceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded run as a whole.

    `timesteps` and `seconds` have an entry a forward pass, `sigmas` one more; `recorded` counts the passes that
    are there, fewer than `timesteps` while it runs and after a cancel. `latent_shape` is (channels, height,
    width), `images` the absolute paths of the files that were saved. `exact` says whether the run can be
    continued from any step bit for bit: not where a fork changed the sampler.
    """

    trace: str
    recipe: Recipe
    segments: tuple[Segment, ...]
    parent: Parent | None
    images: tuple[str, ...]
    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    seconds: tuple[float, ...]
    recorded: int
    init_noise_sigma: float
    evals_per_step: int
    latent_shape: tuple[int, int, int]
    family: str
    model_hash: str
    exact: bool = True


TokenKind = Literal["start", "word", "end", "padding"]


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the 77 positions of a chunk: its id, the text it stands for, whether the mask lets it be attended to, the
    norm of its embedding, and that embedding's distance to the unconditional one at the same position."""

    position: int
    id: int
    text: str
    kind: TokenKind
    attended: bool
    norm: float
    distance: float


class PromptView(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt as the network reads it, its chunks one after another. `left_out` is text that is read, but not shown
    here: the prompts that AND adds to the first."""

    tokens: tuple[TokenView, ...]
    left_out: str


class TextView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Both prompts; `negative` is None where no unconditional pass is made. `shapes` names tensors on the way
    from ids to the network's input, with their shapes."""

    prompt: PromptView
    negative: PromptView | None
    shapes: tuple[tuple[str, tuple[int, ...]], ...]


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """One latent channel: its numbers, a histogram of HISTOGRAM_BINS equal bins from `low` to `high`, and the
    channel as a grey picture, black at `low` and white at `high`."""

    mean: float
    deviation: float
    minimum: float
    maximum: float
    low: float
    high: float
    histogram: tuple[int, ...]
    picture: Picture


HISTOGRAM_BINS = 32


class LatentsView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The latents at one place of a run. All channels share `low` and `high`: 0 is the middle grey."""

    channels: tuple[ChannelView, ...]
    latent_shape: tuple[int, int, int]
    pixel_shape: tuple[int, int, int]
    reduction: float
    """How many times fewer numbers the latents have than the pixels: 48 for Stable Diffusion 1.x."""


class StepView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step in pixels: the latents before it, the guided noise prediction and the estimate of x0.

    `decoded` says whether the real VAE made them; else they are the cheap linear projection.
    """

    latents: Picture
    noise: Picture
    denoised: Picture
    decoded: bool


class GuidanceView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Guidance over the run and at one step. `norms` and `degrees` have an entry a recorded step: the norm of
    (text - unconditional) and the angle between the two predictions; empty where there is no guidance. `pull` is
    the norm of the difference at each latent of this step as a grey picture, white at `strongest`."""

    norms: tuple[float, ...]
    degrees: tuple[float, ...]
    pull: Picture | None
    strongest: float


class AttentionView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where the cross-attention looked for one token: a grey picture of the size of the latents, white at
    `strongest`, the largest share of attention that one place gave it. `step` None is the mean over the run."""

    position: int
    word: str
    step: int | None
    heat: Picture
    strongest: float


class SheetView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A contact sheet: the estimates of x0 at `steps`, row by row, `columns` in a row, `gap` pixels apart."""

    picture: Picture
    steps: tuple[int, ...]
    columns: int
    gap: int = 0


class WordRun(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of words, with the spaces before each, that the second prompt has kept, removed or added."""

    kind: Literal["kept", "removed", "added"]
    text: str


class ParameterDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that two runs do not share, with both values as people write them."""

    name: str
    first: str
    second: str


class PixelDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Where two images differ: per pixel the largest difference of the three channels (0..255) as a grey picture,
    white at `strongest`; the `mean` of those; and the share of pixels that differ at all (0..1)."""

    heat: Picture
    strongest: int
    mean: float
    changed: float


class CompareView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Two runs side by side: the words of both prompts, and the other fields that differ.

    `divergence` has an entry a place, one more than there are forward passes: the RMS distance of the latents over
    the RMS of the first's, on the network's scale. It is empty where the runs cannot be laid side by side step by
    step, and `apart` is the sentence that says why.
    """

    prompt: tuple[WordRun, ...]
    negative_prompt: tuple[WordRun, ...]
    parameters: tuple[ParameterDifference, ...]
    divergence: tuple[float, ...]
    apart: str = ""


AnyView = TextView | LatentsView | StepView | GuidanceView | AttentionView | SheetView
ViewKind = Literal[
    "text", "noise", "scaled noise", "latents", "step", "decoded step", "guidance", "attention", "sheet"
]
"""What may be asked for. "noise" and "scaled noise" are the initial latents before and after `init_noise_sigma`;
"latents" are those before the step asked for. Those in MODEL_VIEWS run a network of the model, and wait for the
running job; the rest is answered beside it."""
MODEL_VIEWS: Final[frozenset[ViewKind]] = frozenset({"text", "decoded step", "attention"})
