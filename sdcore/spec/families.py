"""The families of models, as data: what is the same for every model of one. No torch.

How a family's network is fed is in `sdcore.diffusion.families`; how its files are told apart in
`sdcore.library.sniff`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Rgb = tuple[float, float, float]
TextPart = Literal["CLIP-L", "OpenCLIP-H", "OpenCLIP-G", "T5"]


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A family of models.

    `latent_channels` and `downscale` (pixels a latent) are those of its VAE; sides are multiples of `multiple` pixels.
    `text` names the text encoders in the order of the folder's `text_encoder`, `text_encoder_2`, ...; `text_width` is
    the width of the embeddings that the network attends to. A `flow` network predicts the velocity of a straight path
    (arXiv 2209.03003), others noise or v; with `distilled_guidance` the guidance scale is an input of the network,
    and there is no unconditional pass. `preview` has a row of RGB a latent channel (source: ComfyUI,
    comfy/latent_formats.py). `steps`, `guidance_scale` and `sampler` are where to begin.
    """

    name: str
    title: str
    pipeline: str
    text: tuple[TextPart, ...]
    text_width: int
    native_size: int
    latent_channels: int = 4
    downscale: int = 8
    multiple: int = 8
    flow: bool = False
    distilled_guidance: bool = False
    preview: tuple[Rgb, ...]
    preview_bias: Rgb = (0.0, 0.0, 0.0)
    steps: int = 30
    guidance_scale: float = 7.0
    sampler: str = "DPM++ 2M"


_SD_PREVIEW: Final = (
    (0.3512, 0.2297, 0.3227), (0.3250, 0.4974, 0.2350), (-0.2829, 0.1762, 0.2721), (-0.2120, -0.2616, -0.7177),
)  # fmt: skip
_SDXL_PREVIEW: Final = (
    (0.3651, 0.4232, 0.4341), (-0.2533, -0.0042, 0.1068), (0.1076, 0.1111, -0.0362), (-0.3165, -0.2492, -0.2188),
)  # fmt: skip
_SD3_PREVIEW: Final = (
    (-0.0922, -0.0175, 0.0749), (0.0311, 0.0633, 0.0954), (0.1994, 0.0927, 0.0458), (0.0856, 0.0339, 0.0902),
    (0.0587, 0.0272, -0.0496), (-0.0006, 0.1104, 0.0309), (0.0978, 0.0306, 0.0427), (-0.0042, 0.1038, 0.1358),
    (-0.0194, 0.0020, 0.0669), (-0.0488, 0.0130, -0.0268), (0.0922, 0.0988, 0.0951), (-0.0278, 0.0524, -0.0542),
    (0.0332, 0.0456, 0.0895), (-0.0069, -0.0030, -0.0810), (-0.0596, -0.0465, -0.0293), (-0.1448, -0.1463, -0.1189),
)  # fmt: skip
_FLUX_PREVIEW: Final = (
    (-0.0346, 0.0244, 0.0681), (0.0034, 0.0210, 0.0687), (0.0275, -0.0668, -0.0433), (-0.0174, 0.0160, 0.0617),
    (0.0859, 0.0721, 0.0329), (0.0004, 0.0383, 0.0115), (0.0405, 0.0861, 0.0915), (-0.0236, -0.0185, -0.0259),
    (-0.0245, 0.0250, 0.1180), (0.1008, 0.0755, -0.0421), (-0.0515, 0.0201, 0.0011), (0.0428, -0.0012, -0.0036),
    (0.0817, 0.0765, 0.0749), (-0.1264, -0.0522, -0.1103), (-0.0280, -0.0881, -0.0499), (-0.1262, -0.0982, -0.0778),
)  # fmt: skip

FAMILIES: Final[tuple[Family, ...]] = (
    Family(
        name="SD1", title="Stable Diffusion 1.x", pipeline="StableDiffusionPipeline", text=("CLIP-L",),
        text_width=768, native_size=512, preview=_SD_PREVIEW,
    ),
    Family(
        name="SD2", title="Stable Diffusion 2.x", pipeline="StableDiffusionPipeline", text=("OpenCLIP-H",),
        text_width=1024, native_size=768, preview=_SD_PREVIEW,
    ),
    Family(
        name="SDXL", title="Stable Diffusion XL", pipeline="StableDiffusionXLPipeline",
        text=("CLIP-L", "OpenCLIP-G"), text_width=2048, native_size=1024, preview=_SDXL_PREVIEW,
        preview_bias=(0.1084, -0.0175, -0.0011), guidance_scale=5.0,
    ),
    Family(
        name="SD3", title="Stable Diffusion 3.x", pipeline="StableDiffusion3Pipeline",
        text=("CLIP-L", "OpenCLIP-G", "T5"), text_width=4096, native_size=1024, latent_channels=16, multiple=16,
        flow=True, preview=_SD3_PREVIEW, preview_bias=(0.2394, 0.2135, 0.1925), steps=28, guidance_scale=4.5,
        sampler="Euler",
    ),
    Family(
        name="Flux", title="Flux.1", pipeline="FluxPipeline", text=("CLIP-L", "T5"), text_width=4096,
        native_size=1024, latent_channels=16, multiple=16, flow=True,
        distilled_guidance=True, preview=_FLUX_PREVIEW,
        preview_bias=(-0.0329, -0.0718, -0.0851), steps=28, guidance_scale=3.5, sampler="Euler",
    ),
)  # fmt: skip
"""Every family, the common ancestor first."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A way of distilling a model to few steps, told by a `mark` in its name, and the settings that it wants."""

    name: str
    marks: tuple[str, ...]
    steps: int
    guidance_scale: float
    sampler: str
    schedule: str


VARIANTS: Final[tuple[Variant, ...]] = (
    Variant(name="LCM", marks=("lcm",), steps=6, guidance_scale=1.5, sampler="LCM", schedule="automatic"),
    Variant(
        name="Lightning", marks=("lightning",), steps=4, guidance_scale=1.0, sampler="Euler", schedule="SGM uniform"
    ),
    Variant(
        name="Hyper", marks=("hyper-sd", "hyper_sd", "hypersd", "hyper-flux", "hyper_flux"), steps=8,
        guidance_scale=1.0, sampler="TCD", schedule="automatic",
    ),
    Variant(
        name="Turbo", marks=("turbo",), steps=4, guidance_scale=1.0, sampler="Euler a", schedule="SGM uniform"
    ),
    Variant(name="Schnell", marks=("schnell",), steps=4, guidance_scale=1.0, sampler="Euler", schedule="automatic"),
)  # fmt: skip
"""The distilled variants, the first whose mark is in a model's name being meant."""


def family(name: str) -> Family:
    """The family called `name`; raises `KeyError`."""
    return _BY_NAME[name]


def family_of_text_width(width: int) -> Family:
    """The UNet family whose network attends to embeddings of this width; SD1 for a width of a model's own."""
    return next((one for one in FAMILIES if not one.flow and one.text_width == width), FAMILIES[0])


def variant_of(name: str) -> Variant | None:
    """The distilled variant that a model's name tells, None where it tells none."""
    folded = name.casefold()
    return next((one for one in VARIANTS if any(mark in folded for mark in one.marks)), None)


_BY_NAME: Final = {one.name: one for one in FAMILIES}
