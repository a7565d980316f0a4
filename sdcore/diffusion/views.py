"""What can be seen of a recorded run: the numbers and pictures of its own tensors.

Every view is a function of a `Trace` and of the little else that it names; `VIEWS` has them by what a client asks
for. Those not in MODEL_VIEWS need no network and can be made beside a running job.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import Image
from torch import Tensor

from sdcore.diffusion.attention import AttentionError, attention_view
from sdcore.diffusion.conditioning import equally_long
from sdcore.diffusion.images import image_grid
from sdcore.diffusion.model import Model
from sdcore.diffusion.pictures import grey, image_picture
from sdcore.diffusion.preview import PreviewFactors
from sdcore.diffusion.prompting import beside_the_first, pieces_at, sampler_step
from sdcore.diffusion.scaling import network_input
from sdcore.diffusion.t5 import T5Encoder
from sdcore.diffusion.text import TextEncoder
from sdcore.diffusion.trace import Trace
from sdcore.spec.prompt import Piece
from sdcore.spec.recipe import Recipe
from sdcore.spec.views import (
    HISTOGRAM_BINS,
    AnyView,
    ChannelView,
    GuidanceView,
    LatentsView,
    PromptView,
    SheetView,
    StepView,
    TextView,
    TokenKind,
    TokenView,
    ViewKind,
)

LatentsKind = Literal["noise", "scaled noise", "latents"]

THUMBNAIL: Final = 128
"""The longer side of a picture on a contact sheet, in pixels; smaller where many have to fit."""

LARGEST_SHEET: Final = 1024
_GAP: Final = 2


class ViewError(ValueError):
    """A view cannot be made; the message is one sentence that says why."""


# -- text ----------------------------------------------------------------------------------------------------------


def text_view(model: Model, recipe: Recipe, step: int = 0) -> TextView:
    """The prompts of a recipe as tokens and embeddings, as they stand at forward `step`; of prompts that AND joins, the
    first. Norms and distances are L2 norms over an embedding, its weight applied.

    The unconditional embeddings are those of the negative prompt, or without guidance of the empty prompt.
    """
    guided = model.needs_uncond(recipe)
    negative = recipe.negative_prompt if guided else ""
    at = sampler_step(recipe, step)
    model.addons.put_in(recipe)
    said = equally_long(
        [model.adapter.told(recipe.prompt, recipe), model.adapter.told(negative, recipe, negative=True)]
    )
    text, uncond = (one.at(at)[0][1].embeddings.float().cpu() for one in said)
    pieces = pieces_at(recipe.prompt, recipe, at), pieces_at(negative, recipe, at, negative=True)
    latents = (recipe.batch_size, *model.latent_shape(recipe.width, recipe.height))
    halves = 1 + guided
    shapes = {
        "token ids": model.text_encoder.tokenize(pieces[0]).ids.shape,
        "text embeddings": text.shape,
        "embeddings for the network": (halves, *text.shape[1:]),
        "latents": latents,
        "network input": (halves * latents[0], *latents[1:]),
        "pixels": (recipe.batch_size, model.vae.config.out_channels, recipe.height, recipe.width),
    }
    return TextView(
        prompt=_prompt_view(model.text_encoder, pieces[0], text, uncond, beside_the_first(recipe.prompt)),
        negative=_prompt_view(model.text_encoder, pieces[1], uncond, uncond) if guided else None,
        shapes=tuple((name, tuple(shape)) for name, shape in shapes.items()),
    )


def _prompt_view(
    encoder: TextEncoder | T5Encoder,
    pieces: tuple[Piece, ...],
    embeddings: Tensor,
    uncond: Tensor,
    left_out: str = "",
) -> PromptView:
    tokens = encoder.tokenize(pieces)
    ids, attended = tokens.ids.flatten().tolist(), tokens.attention_mask.flatten().bool().tolist()
    texts = {token: encoder.token_text(token) for token in set(ids)}
    norms = embeddings[0].norm(dim=-1).tolist()
    distances = (embeddings[0] - uncond[0]).norm(dim=-1).tolist()
    special: dict[int, TokenKind] = {
        encoder.tokenizer.bos_token_id: "start",
        encoder.tokenizer.eos_token_id: "end",
    }
    return PromptView(
        tokens=tuple(
            TokenView(
                position=position,
                id=ids[position],
                text=texts[ids[position]],
                kind=special.get(ids[position], "word") if attended[position] else "padding",
                attended=attended[position],
                norm=norms[position],
                distance=distances[position],
            )
            for position in range(len(ids))
        ),
        left_out=left_out,
    )


# -- latents -------------------------------------------------------------------------------------------------------


def latents_view(trace: Trace, step: int, image: int, what: LatentsKind) -> LatentsView:
    """The channels of image `image`: the initial noise before or after scaling, or the latents before `step`.

    Deviations are those of all values (divided by n). The range -m .. m of histograms and pictures has the largest
    finite magnitude of all channels as m; values that are not finite are left out of the histogram.
    """
    places: dict[LatentsKind, Callable[[], Tensor]] = {
        "noise": lambda: trace.initial_noise,
        "scaled noise": lambda: trace.initial_noise * trace.init_noise_sigma,
        "latents": lambda: trace[step].latents,
    }
    latents = places[what]()[image].double()
    channels, height, width = latents.shape
    finite = latents[latents.isfinite()].abs()
    bound = float(finite.max()) if finite.numel() else 0.0
    recipe = trace.part_at(step if what == "latents" else 0).recipe
    pixel_shape = (3, recipe.height, recipe.width)
    return LatentsView(
        channels=tuple(_channel_view(channel, bound) for channel in latents),
        latent_shape=(channels, height, width),
        pixel_shape=pixel_shape,
        reduction=math.prod(pixel_shape) / latents.numel(),
    )


def _channel_view(values: Tensor, bound: float) -> ChannelView:
    finite = values[values.isfinite()].numpy()
    counts, _ = np.histogram(finite, bins=HISTOGRAM_BINS, range=(-bound or -1.0, bound or 1.0))
    return ChannelView(
        mean=float(values.mean()),
        deviation=float(values.std(correction=0)),
        minimum=float(values.min()),
        maximum=float(values.max()),
        low=-bound,
        high=bound,
        histogram=tuple(counts.tolist()),
        picture=grey(values, -bound, bound),
    )


# -- steps ---------------------------------------------------------------------------------------------------------


def step_view(trace: Trace, step: int, image: int, by: PreviewFactors | Model) -> StepView:
    """Step `step` of image `image` in pixels: by linear factors at an eighth of the size, or by the model's VAE.

    The latents are shown on the network's scale: where they grow with the noise they would be white and black.
    Raises `vae.NotFiniteError`.
    """
    recorded = trace[step]
    shown = (network_input(trace, recorded.index), recorded.noise_pred, recorded.denoised)
    latents, noise, denoised = (image_picture(painted(tensor[image : image + 1], by)) for tensor in shown)
    return StepView(latents=latents, noise=noise, denoised=denoised, decoded=isinstance(by, Model))


def painted(latents: Tensor, by: PreviewFactors | Model) -> Image.Image:
    """Model-space latents of one image (1, C, h, w) as RGB: h x w pixels by factors, 8h x 8w by a model's VAE."""
    if isinstance(by, PreviewFactors):
        return Image.fromarray(by.rgb(latents)[0])
    return by.decode(latents.to(by.device, by.dtype))[0]


def sheet_view(trace: Trace, every: int, image: int, by: PreviewFactors | Model) -> SheetView:
    """The estimates of x0 at every `every`-th recorded step, and at the last, on one sheet as square as it goes."""
    last = len(trace) - 1
    steps = tuple(dict.fromkeys((*range(0, len(trace), every), last)))
    columns = math.ceil(math.sqrt(len(steps)))
    side = min(THUMBNAIL, LARGEST_SHEET // columns - _GAP)
    thumbnails = [_thumbnail(painted(trace[step].denoised[image : image + 1], by), side) for step in steps]
    sheet = image_grid(thumbnails, columns, _GAP)
    return SheetView(picture=image_picture(sheet), steps=steps, columns=columns, gap=_GAP)


def _thumbnail(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)


# -- guidance ------------------------------------------------------------------------------------------------------


def guidance_view(trace: Trace, step: int, image: int) -> GuidanceView:
    """How far, and in what direction, the text pulls image `image` away from the unconditional prediction.

    Norms are L2 over channels and places, angles are between the two predictions as vectors, both in float64. In a run
    that a fork led out of guidance or into it, a step without an unconditional prediction counts 0 in both.
    """
    pairs = [_predictions(trace, k, image) for k in range(len(trace))]
    here = pairs[step]
    pull = None if here is None else (here[1] - here[0]).norm(dim=0)
    strongest = 0.0 if pull is None else float(pull.max())
    guided = any(pair is not None for pair in pairs)
    return GuidanceView(
        norms=tuple(_apart(pair) for pair in pairs) if guided else (),
        degrees=tuple(_angle(pair) for pair in pairs) if guided else (),
        pull=None if pull is None else grey(pull, 0.0, strongest),
        strongest=strongest,
    )


_Pair = tuple[Tensor, Tensor]


def _predictions(trace: Trace, step: int, image: int) -> _Pair | None:
    recorded = trace[step]
    if recorded.noise_pred_uncond is None:
        return None
    return recorded.noise_pred_uncond[image].double(), recorded.noise_pred_text[image].double()


def _apart(pair: _Pair | None) -> float:
    return 0.0 if pair is None else float((pair[1] - pair[0]).norm())


def _angle(pair: _Pair | None) -> float:
    """The angle in degrees (0..180). From the chords of the unit vectors: exact for small angles too, where the
    arc cosine has lost half of the digits (Kahan, "How Futile are Mindless Assessments of Roundoff", 2006)."""
    if pair is None:
        return 0.0
    uncond, text = (half / half.norm() for half in pair)
    return math.degrees(2 * math.atan2(float((text - uncond).norm()), float((text + uncond).norm())))


# -- all of them ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ViewRequest:
    """What is asked of which trace, as in `messages.GetView`; those in MODEL_VIEWS need the `model`."""

    trace: Trace
    model: Model | None = None
    step: int = 0
    image: int = 0
    position: int = 0
    whole_run: bool = False
    every: int = 1

    def same_model(self) -> Model:
        """The model that made the trace. Raises `ViewError` where it is not at hand."""
        if self.model is None:
            raise ViewError("This view needs the model that made the run; load it first.")
        if self.model.model_hash != self.trace.model_hash:
            raise ViewError("This run was made by other weights; open the model that made it.")
        return self.model


def _text(ask: ViewRequest) -> TextView:
    part = ask.trace.part_at(ask.step)
    return text_view(ask.same_model(), part.recipe, ask.step - part.first)


def _attention(ask: ViewRequest) -> AnyView:
    model = ask.same_model()
    step = None if ask.whole_run else ask.step
    try:
        return attention_view(model, ask.trace, step, ask.image, ask.position)
    except AttentionError as error:
        raise ViewError(str(error)) from error


VIEWS: Final[Mapping[ViewKind, Callable[[ViewRequest], AnyView]]] = {
    "text": _text,
    "noise": lambda ask: latents_view(ask.trace, ask.step, ask.image, "noise"),
    "scaled noise": lambda ask: latents_view(ask.trace, ask.step, ask.image, "scaled noise"),
    "latents": lambda ask: latents_view(ask.trace, ask.step, ask.image, "latents"),
    "step": lambda ask: step_view(ask.trace, ask.step, ask.image, ask.trace.preview_factors),
    "decoded step": lambda ask: step_view(ask.trace, ask.step, ask.image, ask.same_model()),
    "guidance": lambda ask: guidance_view(ask.trace, ask.step, ask.image),
    "attention": _attention,
    "sheet": lambda ask: sheet_view(ask.trace, ask.every, ask.image, ask.trace.preview_factors),
}


def make_view(what: ViewKind, ask: ViewRequest) -> AnyView:
    """The view asked for. Raises `ViewError` with one sentence, and `vae.NotFiniteError`."""
    trace = ask.trace
    if not len(trace):
        raise ViewError("No step of this run is recorded yet.")
    if ask.every < 1:
        raise ViewError(f"A contact sheet cannot show every {ask.every}-th step; ask for 1 or more.")
    counts = {
        "step": (ask.step, len(trace)),
        "image": (ask.image, trace.recipe.batch_size),
    }
    for name, (value, count) in counts.items():
        if not 0 <= value < count:
            raise ViewError(f"There is no {name} {value} in this run; it has 0 to {count - 1}.")
    return VIEWS[what](ask)
