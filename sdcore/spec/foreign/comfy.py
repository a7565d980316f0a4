"""ComfyUI: the graph in the PNG chunk `prompt` (in WebP and JPEG an EXIF text that begins with "prompt:"), walked from
the node that saves the image back to the sampler, and from there to texts, model and size. An image without it has
the same graph as the editor draws it in the chunk `workflow` ("workflow:"); see `comfy_workflow`.

Where a picture went through several samplers, the one that began it tells the recipe; a second one after the latents
were enlarged is our second pass. What no field takes is kept node by node, as "6 CLIPTextEncode".

Sources: `nodes.py` and `comfy_extras/nodes_custom_sampler.py` of ComfyUI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sdcore.spec import values
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.comfy_graph import Graph, Node, graph_of
from sdcore.spec.foreign.comfy_workflow import graph_of_workflow
from sdcore.spec.foreign.reading import Texts, facts, load, with_loras

WRITER: Final = "ComfyUI"
_MOST_KEPT: Final = 200
"""Nodes whose values are kept beside the fields."""
_MOST_TEXTS: Final = 32
_MOST_SINKS: Final = 8

_NOT_PICTURES: Final = frozenset({
    "model", "model1", "model2", "clip", "vae", "positive", "negative", "conditioning", "control_net", "guider",
    "noise", "sampler", "sigmas", "clip_vision", "clip_vision_output", "upscale_model", "ipadapter", "style_model",
    "optional_vae", "seed", "noise_seed", "steps", "cfg", "denoise", "text", "filename_prefix",
})  # fmt: skip
"""Links that carry something else than the picture on its way."""
_CONDITIONING: Final = ("conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from",
                        "cond1", "cond2", "base_conditioning", "positive", "negative")  # fmt: skip
_TEXTS: Final = ("text", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "prompt", "wildcard_text")
_GUIDING: Final = ("guider", "noise", "sampler", "sigmas", "positive", "negative", "conditioning", "model")
_MODELS: Final = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "gguf_name", "model_path")
_SILENT: Final = frozenset({"ConditioningZeroOut"})
_JOINTS: Final = {"ConditioningCombine": " AND ", "ConditioningConcat": " BREAK "}
"""What our grammar says for two prompts at once, and for a new chunk of the text."""
_SCHEDULERS: Final = {
    "KarrasScheduler": "karras", "ExponentialScheduler": "exponential", "PolyexponentialScheduler": "exponential",
    "AlignYourStepsScheduler": "align_your_steps", "BetaSamplingScheduler": "beta", "SDTurboScheduler": "sgm_uniform",
}  # fmt: skip
_SAMPLERS: Final = {
    "SamplerEulerAncestral": "euler_ancestral", "SamplerDPMPP_2M_SDE": "dpmpp_2m_sde", "SamplerDPMPP_SDE": "dpmpp_sde",
    "SamplerLMS": "lms", "SamplerDPMPP_3M_SDE": "dpmpp_3m_sde", "SamplerDPMAdaptative": "dpm_adaptive",
    "SamplerLCMUpscale": "lcm", "SamplerEulerCFGpp": "euler_cfg_pp",
}  # fmt: skip
_LATENT_UPSCALES: Final = ("LatentUpscale", "LatentUpscaleBy")


def read(text: str, texts: Texts) -> ImageFacts | None:
    """What the graph says that was run; None where it is no graph."""
    return _told(graph_of(load(text.removeprefix("prompt:"))))


def read_workflow(text: str, texts: Texts) -> ImageFacts | None:
    """What the graph says that was drawn; None where it is no graph."""
    return _told(graph_of_workflow(load(text.removeprefix("workflow:"))))


def _told(graph: Graph | None) -> ImageFacts | None:
    if graph is None:
        return None
    chain = _samplers(graph)
    if not chain:
        return facts(WRITER, {}, _kept(graph, set()))
    fields = _recipe(graph, chain[-1])
    fields |= _second_pass(graph, chain, fields)
    return facts(WRITER, fields, _kept(graph, _used(graph, fields)))


def _samplers(graph: Graph) -> list[Node]:
    """The samplers that the picture went through, the last one first."""
    for sink in graph.sinks()[:_MOST_SINKS]:
        walked = graph.upstream(sink, lambda node, name: name not in _NOT_PICTURES)
        if found := [node for node in walked if _samples(node)]:
            return found
    return [node for node in graph.nodes.values() if _samples(node)][:1]


def _samples(node: Node) -> bool:
    inputs = node.values.keys() | node.links.keys()
    plain = {"positive", "negative"} <= inputs and "steps" in inputs and bool({"seed", "noise_seed"} & inputs)
    return plain or "sigmas" in node.links


def _recipe(graph: Graph, sampler: Node) -> dict[str, Any]:
    """The fields that one sampler and what feeds it tell."""
    fields: dict[str, Any] = {}
    for name, told in (
        ("seed", values.seed("seed")), ("noise_seed", values.seed("seed")), ("steps", values.whole("steps")),
        ("cfg", values.real("guidance_scale")), ("sampler_name", values.word("sampler")),
        ("scheduler", values.word("schedule")), ("guidance", values.real("guidance_scale")),
        ("clip_skip", values.whole("clip_skip")),
    ):  # fmt: skip
        for node in _around(graph, sampler):
            # The guidance of a distilled model is set on its prompt; the other one is 1 then.
            if (value := graph.value(node, name)) is not None:
                fields |= told(value) or {}
                break
    for node in _around(graph, sampler):
        fields |= {"schedule": _SCHEDULERS[node.kind]} if node.kind in _SCHEDULERS else {}
        fields |= {"sampler": _SAMPLERS[node.kind]} if node.kind in _SAMPLERS else {}
    fields |= _prompts(graph, sampler) | _start(graph, sampler)
    return fields | _model(graph, sampler, fields)


def _around(graph: Graph, sampler: Node) -> Iterator[Node]:
    """A sampler and the nodes that say how it samples; not what else its conditioning is made of."""
    return graph.upstream(
        sampler, lambda node, name: name in _GUIDING and not _samples_elsewhere(node, sampler)
    )


def _samples_elsewhere(node: Node, sampler: Node) -> bool:
    return node.id != sampler.id and _samples(node)


def _prompts(graph: Graph, sampler: Node) -> dict[str, str]:
    """Both prompts. A guider may stand between the sampler and its conditioning, and some samplers hold the texts."""
    holder = graph.linked(sampler, "guider") or sampler
    positive = next(
        (name for name in ("positive", "conditioning", "cond1") if name in holder.links), "positive"
    )
    found: dict[str, str] = {}
    for field, name in (("prompt", positive), ("negative_prompt", "negative")):
        said = _text(graph, holder, name) if name in holder.links else holder.values.get(name)
        found |= {field: said} if isinstance(said, str) else {}
    return found


def _text(graph: Graph, holder: Node, name: str) -> str | None:
    """The texts that the conditioning of a link is made of, joined as our grammar joins them; None without any."""
    start = graph.linked(holder, name)
    if start is None:
        return None
    side = "negative" if name == "negative" else "positive"
    other = "positive" if side == "negative" else "negative"
    found: list[str] = []
    joint = ""
    walked = graph.upstream(
        start,
        lambda node, link: (
            link in _CONDITIONING and node.kind not in _SILENT and not (link == other and side in node.links)
        ),
    )
    for node in walked:
        joint = joint or _JOINTS.get(node.kind, "")
        said = _encoded(graph, node, side)
        if said is not None and said not in found and len(found) < _MOST_TEXTS:
            found.append(said)
    joined = (joint or "\n").join(one for one in found if one)
    return joined[: values.MOST_SAID] if found or start.kind in _SILENT else None


def _encoded(graph: Graph, node: Node, side: str) -> str | None:
    """What a text encoder reads: one text, or several for its several encoders."""
    if any(name in node.links for name in _CONDITIONING) and "text" not in node.values:
        return None
    found: list[str] = []
    # A loader with texts of its own calls them by the side.
    for name in (*_TEXTS, side):
        value = graph.value(node, name)
        if isinstance(value, str) and value not in found:
            found.append(value)
    return ", ".join(one for one in found if one) if found else None


def _start(graph: Graph, sampler: Node) -> dict[str, Any]:
    """The size of the latents that are begun with; the strength where they come from a picture."""
    fields: dict[str, Any] = {}
    denoise = next((values.as_real(value) for node in _around(graph, sampler)
                    if (value := graph.value(node, "denoise")) is not None), None)  # fmt: skip
    for node in graph.upstream(sampler, lambda node, name: name not in _NOT_PICTURES):
        width, height = (values.as_whole(graph.value(node, name)) for name in ("width", "height"))
        empty = "width" not in fields and "Upscale" not in node.kind and "Scale" not in node.kind
        if empty and width and height:
            fields |= {"width": width, "height": height}
        if "LoadImage" in node.kind and denoise is not None and denoise < 1:
            fields["strength"] = denoise
    return fields


def _model(graph: Graph, sampler: Node, fields: dict[str, Any]) -> dict[str, Any]:
    """The model, its LoRAs, named in the prompt as we name them, and how many layers of its encoder are skipped."""
    found: dict[str, Any] = {}
    holder = graph.linked(sampler, "guider") or sampler
    loras: list[tuple[Any, Any]] = []
    for node in graph.upstream(holder, lambda node, name: name not in {"latent_image", "samples", "image"}):
        named = next(
            (graph.value(node, name) for name in _MODELS if name in node.values or name in node.links), None
        )
        if "model" not in found and "lora" not in node.kind.lower():
            found |= values.file_name("model")(named) or {}
        loras += _loras(graph, node)
        layer = values.as_whole(graph.value(node, "stop_at_clip_layer"))
        if layer is not None and layer < 0:
            found["clip_skip"] = -layer
    found |= _vae(graph)
    return found | {"prompt": with_loras(fields.get("prompt", ""), loras)}


def _loras(graph: Graph, node: Node) -> list[tuple[Any, Any]]:
    """The LoRAs of a loader: of one, or of several as rgthree's has them."""
    found = [(value.get("lora"), value.get("strength")) for value in node.values.values()
             if isinstance(value, dict) and value.get("on") is True]  # fmt: skip
    if "lora_name" in node.values:
        found.append((node.values["lora_name"], graph.value(node, "strength_model")))
    return found


def _vae(graph: Graph) -> dict[str, Any]:
    """A VAE of its own that the picture is decoded with."""
    for node in graph.nodes.values():
        loader = graph.linked(node, "vae") if "Decode" in node.kind else None
        if loader is not None and "vae_name" in loader.values:
            return values.file_name("vae")(loader.values["vae_name"]) or {}
    return {}


def _second_pass(graph: Graph, chain: list[Node], fields: dict[str, Any]) -> dict[str, Any]:
    """The second sampler where it repaints what was enlarged after the first."""
    if len(chain) != 2 or "width" not in fields:
        return {}
    again = chain[0]
    walked = list(graph.upstream(again, lambda node, name: name not in _NOT_PICTURES))
    between = walked[1 : walked.index(chain[1])] if chain[1] in walked else []
    upscale = next((node for node in between if "Upscale" in node.kind or "Scale" in node.kind), None)
    strength = values.as_real(graph.value(again, "denoise"))
    if upscale is None or strength is None:
        return {}
    by = values.as_real(graph.value(upscale, "scale_by")) or values.as_real(
        graph.value(upscale, "upscale_by")
    )
    width = values.as_whole(graph.value(upscale, "width"))
    scale = by or (width / fields["width"] if width and fields["width"] else 0.0)
    if scale <= 1:
        return {}
    steps = values.as_whole(graph.value(again, "steps"))
    told = {"hires_scale": scale, "hires_strength": strength, **({"hires_steps": steps} if steps else {})}
    return told | ({"hires_upscaler": "latent"} if upscale.kind in _LATENT_UPSCALES else {})


def _used(graph: Graph, fields: dict[str, Any]) -> set[str]:
    """The nodes all of whose values are in the fields: texts, and the loader of a model."""
    told = f"{fields.get('prompt')}\n{fields.get('negative_prompt')}"
    return {node.id for node in graph.nodes.values()
            if (node.kind == "CLIPTextEncode" and str(node.values.get("text", "\0")) in told)
            or node.kind == "CheckpointLoaderSimple"}  # fmt: skip


def _kept(graph: Graph, used: set[str]) -> dict[str, Any]:
    """The values of the nodes that are not used up, by id and class."""
    found = [node for node in graph.nodes.values() if node.values and node.id not in used]
    return {f"{node.id} {node.kind}": node.values for node in found[:_MOST_KEPT]}
