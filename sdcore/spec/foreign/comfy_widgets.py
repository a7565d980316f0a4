"""What the widgets of ComfyUI's nodes are called, in the order in which the editor lists their values.

A workflow has the values of a node in a row and, if an older editor wrote it, not their names. Sources: `nodes.py` and
`comfy_extras/` of ComfyUI; the nodes of rgthree and of the efficiency pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_SIZE: Final = ("width", "height", "batch_size")
_SAMPLING: Final = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
_ENLARGING: Final = ("upscale_method", "width", "height", "crop")
_RANGE: Final = ("steps", "sigma_max", "sigma_min")
_FREE: Final = ("b1", "b2", "s1", "s2")

_WIDGETS: Final[dict[str, tuple[str, ...]]] = {
    "AlignYourStepsScheduler": ("model_type", "steps", "denoise"),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "BetaSamplingScheduler": ("steps", "alpha", "beta"),
    "CFGGuider": ("cfg",),
    "CLIPLoader": ("clip_name", "type", "device"),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CLIPTextEncodeSD3": ("clip_l", "clip_g", "t5xxl", "empty_padding"),
    "CLIPTextEncodeSDXL": ("width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l"),
    "CLIPTextEncodeSDXLRefiner": ("ascore", "width", "height", "text"),
    "CheckpointLoader": ("config_name", "ckpt_name"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "ConditioningAverage": ("conditioning_to_strength",),
    "ConditioningSetArea": ("width", "height", "x", "y", "strength"),
    "ConditioningSetMask": ("strength", "set_cond_area"),
    "ConditioningSetTimestepRange": ("start", "end"),
    "ControlNetApply": ("strength",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
    "ControlNetLoader": ("control_net_name",),
    "DualCFGGuider": ("cfg_conds", "cfg_cond2_negative"),
    "DualCLIPLoader": ("clip_name1", "clip_name2", "type", "device"),
    "Efficient Loader": (
        "ckpt_name", "vae_name", "clip_skip", "lora_name", "lora_model_strength", "lora_clip_strength", "positive",
        "negative", "token_normalization", "weight_interpretation", "empty_latent_width", "empty_latent_height",
        "batch_size",
    ),
    "EmptyLatentImage": _SIZE,
    "EmptySD3LatentImage": _SIZE,
    "ExponentialScheduler": _RANGE,
    "FluxGuidance": ("guidance",),
    "FreeU": _FREE,
    "FreeU_V2": _FREE,
    "ImageScale": _ENLARGING,
    "ImageScaleBy": ("upscale_method", "scale_by"),
    "KSampler": _SAMPLING,
    "KSampler (Efficient)": (*_SAMPLING, "preview_method", "vae_decode"),
    "KSamplerAdvanced": (
        "add_noise", "noise_seed", "steps", "cfg", "sampler_name", "scheduler", "start_at_step", "end_at_step",
        "return_with_leftover_noise",
    ),
    "KSamplerSelect": ("sampler_name",),
    "KarrasScheduler": (*_RANGE, "rho"),
    "LatentUpscale": _ENLARGING,
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "LoadImage": ("image", "upload"),
    "LoadImageMask": ("image", "channel", "upload"),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "ModelSamplingDiscrete": ("sampling", "zsnr"),
    "ModelSamplingFlux": ("max_shift", "base_shift", "width", "height"),
    "ModelSamplingSD3": ("shift",),
    "PolyexponentialScheduler": (*_RANGE, "rho"),
    "PreviewImage": (),
    "PrimitiveBoolean": ("value",),
    "PrimitiveFloat": ("value",),
    "PrimitiveInt": ("value",),
    "PrimitiveString": ("value",),
    "PrimitiveStringMultiline": ("value",),
    "RandomNoise": ("noise_seed",),
    "RescaleCFG": ("multiplier",),
    "SDTurboScheduler": ("steps", "denoise"),
    "SamplerCustom": ("add_noise", "noise_seed", "cfg"),
    "SamplerDPMPP_2M_SDE": ("solver_type", "eta", "s_noise", "noise_device"),
    "SamplerDPMPP_3M_SDE": ("eta", "s_noise", "noise_device"),
    "SamplerDPMPP_SDE": ("eta", "s_noise", "r", "noise_device"),
    "SamplerEulerAncestral": ("eta", "s_noise"),
    "SamplerLMS": ("order",),
    "SaveImage": ("filename_prefix",),
    "Seed (rgthree)": ("seed",),
    "StringConcatenate": ("string_a", "string_b", "delimiter"),
    "TripleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3"),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "UpscaleModelLoader": ("model_name",),
    "VAELoader": ("vae_name",),
    "VPScheduler": ("steps", "beta_d", "beta_min", "eps_s"),
    "unCLIPCheckpointLoader": ("ckpt_name",),
}  # fmt: skip

_CONTROLS: Final = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
"""What a seed becomes after a run: the editor has it in a place of its own, after the seed."""
_SEEDS: Final = ("seed", "noise_seed")


def named(kind: str, listed: Sequence[str], said: Any) -> dict[str, Any]:
    """The values of a node by the names of their widgets.

    Newer editors write the names, which are `listed`; where those do not account for each value, our own table is
    asked. Values of a node that neither knows are counted from 1, and a single one is called "value".
    """
    if isinstance(said, dict):
        return {name: value for name, value in said.items() if isinstance(name, str)}
    if not isinstance(said, list):
        return {}
    by_list, whole = _lined_up(listed, said)
    if whole:
        return by_list
    if kind in _WIDGETS:
        return _lined_up(_WIDGETS[kind], said)[0]
    return {"value" if len(said) == 1 else str(place): value for place, value in enumerate(said, 1)}


def _lined_up(names: Sequence[str], values: list[Any]) -> tuple[dict[str, Any], bool]:
    """The values by these names, and whether there was a name for each value and a value for each name."""
    found: dict[str, Any] = {}
    at = 0
    for name in names:
        if at == len(values):
            return found, False
        found[name] = values[at]
        at += 2 if _is_control(name, values[at : at + 2]) else 1
    return found, at >= len(values)


def _is_control(name: str, pair: list[Any]) -> bool:
    if len(pair) < 2 or isinstance(pair[0], bool) or not isinstance(pair[0], int | float):
        return False
    return pair[1] in _CONTROLS or (pair[1] is None and name in _SEEDS)
