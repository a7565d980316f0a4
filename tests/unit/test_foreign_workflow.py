"""ComfyUI: a graph as its editor draws it says what the same graph says as it is run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcore.spec import foreign
from sdcore.spec.facts import ImageFacts
from sdcore.spec.foreign.comfy_workflow import graph_of_workflow
from tests.unit.test_foreign_comfy import node, plain

Json = dict[str, Any]

TYPES = {"model": "MODEL", "clip": "CLIP", "vae": "VAE", "positive": "CONDITIONING", "negative": "CONDITIONING",
         "conditioning": "CONDITIONING", "latent_image": "LATENT", "samples": "LATENT", "images": "IMAGE"}  # fmt: skip
GIVES = {
    "CheckpointLoaderSimple": ("MODEL", "CLIP", "VAE"),
    "LoraLoader": ("MODEL", "CLIP"),
    "CLIPTextEncode": ("CONDITIONING",),
    "KSampler": ("LATENT",),
    "EmptyLatentImage": ("LATENT",),
    "VAEDecode": ("IMAGE",),
}


def drawn(graph: Json, *, named: bool = False) -> Json:
    """A graph that is run as the editor writes it: newer ones name the inputs that are widgets, too."""
    nodes: list[Json] = []
    links: list[list[Any]] = []
    for key, about in graph.items():
        inputs: list[Json] = []
        values: list[Any] = []
        for name, value in about["inputs"].items():
            link = None
            if isinstance(value, list):
                link = len(links) + 1
                links.append([link, int(value[0]), value[1], int(key), len(inputs), TYPES.get(name, "*")])
            else:
                values += [value, "randomize"] if name in ("seed", "noise_seed") else [value]
            widget = {} if link else {"widget": {"name": name}}
            if link or named:
                inputs.append({"name": name, "type": TYPES.get(name, "*"), "link": link, **widget})
        outputs = [{"name": kind, "type": kind} for kind in GIVES.get(about["class_type"], ("*",) * 3)]
        nodes.append(drawn_node(int(key), about["class_type"], inputs, values, outputs=outputs))
    return {"last_node_id": 99, "nodes": nodes, "links": links, "groups": [], "extra": {}, "version": 0.4}


def drawn_node(name: int, kind: str, inputs: list[Json], values: Any, **more: Any) -> Json:
    return {"id": name, "type": kind, "pos": [0, 0], "flags": {}, "order": 0, "mode": 0, "inputs": inputs,
            "widgets_values": values, "properties": {"Node name for S&R": kind}, **more}  # fmt: skip


def find(workflow: Json, name: int) -> Json:
    found: Json = next(one for one in workflow["nodes"] if one["id"] == name)
    return found


def read(workflow: Any, **texts: str) -> ImageFacts:
    found = foreign.read({"workflow": json.dumps(workflow), **texts})
    assert found is not None
    assert found.writer == "ComfyUI"
    return found


def as_run(graph: Json) -> ImageFacts:
    found = foreign.read({"prompt": json.dumps(graph)})
    assert found is not None
    return found


def with_loras() -> Json:
    graph = plain()
    graph["10"] = node("LoraLoader", model=["4", 0], clip=["4", 1], lora_name="styles/ink.safetensors",
                       strength_model=0.8, strength_clip=1)  # fmt: skip
    graph["3"]["inputs"]["model"] = ["10", 0]
    graph["6"]["inputs"]["clip"] = ["10", 1]
    return graph


def enlarged() -> Json:
    graph = plain()
    graph["50"] = node("LatentUpscaleBy", samples=["3", 0], upscale_method="bilinear", scale_by=1.5)
    graph["51"] = node("KSampler", model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["50", 0],
                       seed=9, steps=14, cfg=4, sampler_name="euler", scheduler="normal", denoise=0.55)  # fmt: skip
    graph["8"]["inputs"]["samples"] = ["51", 0]
    return graph


def guided() -> Json:
    return plain() | {
        "40": node("CFGGuider", model=["4", 0], positive=["6", 0], negative=["7", 0], cfg=5),
        "41": node("KarrasScheduler", steps=9, sigma_max=14.6, sigma_min=0.03, rho=7),
        "42": node("SamplerEulerAncestral", eta=1, s_noise=1),
        "43": node("RandomNoise", noise_seed=5),
        "3": node("SamplerCustomAdvanced", noise=["43", 0], guider=["40", 0], sampler=["42", 0], sigmas=["41", 0],
                  latent_image=["5", 0]),
    }  # fmt: skip


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("graph", [plain(), with_loras(), enlarged(), guided()])
def test_it_says_what_the_graph_that_was_run_says(graph: Json, named: bool) -> None:
    assert read(drawn(graph, named=named)) == as_run(graph)


def test_the_graph_that_was_run_is_asked_first() -> None:
    graph = plain()
    graph["3"]["inputs"]["seed"] = 7
    assert read(drawn(plain()), prompt=json.dumps(graph)).seed == 7


def test_the_texts_of_webp() -> None:
    found = foreign.read({"Make": f"workflow:{json.dumps(drawn(plain()))}"})
    assert found == as_run(plain())


def test_newer_links_are_objects_and_values_may_have_names() -> None:
    workflow = drawn(plain())
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    workflow["links"] = [dict(zip(keys, link, strict=True)) for link in workflow["links"]]
    find(workflow, 5)["widgets_values"] = {"width": 512, "height": 768, "batch_size": 1}
    assert read(workflow) == as_run(plain())


def test_values_of_a_node_that_nobody_knows_are_counted() -> None:
    workflow = drawn(plain())
    workflow["nodes"].append(drawn_node(60, "Odd", [], [7, "x"]))
    workflow["nodes"].append(drawn_node(61, "Odd", [], [{"on": True}]))
    extra = read(workflow).extra
    assert extra["60 Odd"] == {"1": 7, "2": "x"}
    assert extra["61 Odd"] == {"value": {"on": True}}


def rewire(workflow: Json, target: int, place: int, through: Json, output: int = 0) -> None:
    """Lead the link to an input through a node, whose first input takes what the other took."""
    slot = find(workflow, target)["inputs"][place]
    links = workflow["links"]
    number = len(links) + 1
    if slot["link"] is not None and through["inputs"]:
        through["inputs"][0]["link"] = slot["link"]
    links.append([number, through["id"], output, target, place, slot["type"]])
    slot["link"] = number
    workflow["nodes"].append(through)


def taker(kind: str, name: str = "") -> list[Json]:
    return [{"name": name, "type": kind, "link": None}]


@pytest.mark.parametrize("kind", ["Reroute", "Reroute (rgthree)"])
def test_rerouted_links_are_straight(kind: str) -> None:
    workflow = drawn(plain())
    rewire(workflow, 3, 0, drawn_node(70, kind, taker("*"), None))
    rewire(workflow, 3, 0, drawn_node(71, kind, taker("*"), None))
    assert read(workflow) == as_run(plain())


def test_a_value_that_stands_in_a_primitive_node() -> None:
    workflow = drawn(plain())
    sampler = find(workflow, 3)
    sampler["inputs"].append({"name": "seed", "type": "INT", "link": 80, "widget": {"name": "seed"}})
    workflow["links"].append([80, 72, 0, 3, 4, "INT"])
    workflow["nodes"].append(drawn_node(72, "PrimitiveNode", [], [77, "fixed"]))
    assert sampler["widgets_values"][0] == 1632
    assert read(workflow).seed == 77


def test_a_bypassed_node_is_passed_through() -> None:
    workflow = drawn(with_loras())
    assert "<lora:ink:0.8>" in str(read(workflow).prompt)
    find(workflow, 10)["mode"] = 4
    assert read(workflow) == as_run(plain())


def test_what_is_muted_is_not_there() -> None:
    workflow = drawn(enlarged())
    find(workflow, 51)["mode"] = 2
    preview = drawn_node(90, "PreviewImage", [{"name": "images", "type": "IMAGE", "link": 91}], [])
    decode = drawn_node(92, "VAEDecode", [{"name": "samples", "type": "LATENT", "link": 93}], [])
    workflow["nodes"] += [preview, decode]
    workflow["links"] += [[91, 92, 0, 90, 0, "IMAGE"], [93, 3, 0, 92, 0, "LATENT"]]
    find(workflow, 9)["mode"] = 2
    facts = read(workflow)
    assert (facts.seed, facts.hires_scale) == (1632, None)
    assert "51 KSampler" not in facts.extra


def test_what_is_put_under_a_name() -> None:
    workflow = drawn(plain())
    checkpoint = find(workflow, 3)["inputs"][0]["link"]
    workflow["nodes"].append(
        drawn_node(73, "SetNode", [{"name": "MODEL", "type": "MODEL", "link": checkpoint}], ["m"])
    )
    rewire(workflow, 3, 0, drawn_node(74, "GetNode", [], ["m"]))
    assert read(workflow) == as_run(plain())


SUBGRAPH = "dfe9eb32-97c0-43a5-90d5-4fd37768d91b"


def with_subgraph(*, promoted: bool, text: Any = "a (red:1.2) house", seed: Any = None) -> Json:
    """The sampler, the texts and the size in a subgraph that shows one of the texts as its own widget."""
    inner = drawn(plain())
    texts = [6, 7, 3, 5, 8]
    nodes = [one for one in inner["nodes"] if one["id"] in texts]
    links = []
    for link in inner["links"]:
        if link[3] in texts:
            origin = (-10, {0: 0, 1: 1, 2: 2}[link[2]]) if link[1] == 4 else (link[1], link[2])
            links.append({"id": link[0], "origin_id": origin[0], "origin_slot": origin[1], "target_id": link[3],
                          "target_slot": link[4], "type": link[5]})  # fmt: skip
    positive = next(one for one in nodes if one["id"] == 6)
    positive["inputs"].append({"name": "text", "type": "STRING", "widget": {"name": "text"}, "link": 95})
    positive["widgets_values"] = ["as it was once"]
    links.append({"id": 95, "origin_id": -10, "origin_slot": 3, "target_id": 6, "target_slot": 1})
    links.append({"id": 96, "origin_id": 8, "origin_slot": 0, "target_id": -20, "target_slot": 0})
    names = ("model", "clip", "vae", "text")
    definition = {"id": SUBGRAPH, "name": "all of it", "inputNode": {"id": -10}, "outputNode": {"id": -20},
                  "inputs": [{"name": name} for name in names], "outputs": [{"name": "IMAGE"}],
                  "nodes": nodes, "links": links}  # fmt: skip
    slots = [{"name": name, "type": name.upper(), "link": place} for place, name in enumerate(names[:3], 1)]
    widget = {"name": "text", "type": "STRING", "widget": {"name": "text"}, "link": None}
    proxies = [["-1", "text"], ["3", "seed"], ["3", "control_after_generate"]]
    holder = drawn_node(57, SUBGRAPH, [*slots, widget], [text, seed, None] if promoted else [text],
                        outputs=[{"name": "IMAGE", "type": "IMAGE"}])  # fmt: skip
    holder["properties"] = {"proxyWidgets": proxies} if promoted else {}
    saver = find(inner, 9)
    saver["inputs"][0]["link"] = 4
    return {"nodes": [find(inner, 4), saver, holder],
            "links": [[1, 4, 0, 57, 0, "MODEL"], [2, 4, 1, 57, 1, "CLIP"], [3, 4, 2, 57, 2, "VAE"],
                      [4, 57, 0, 9, 0, "IMAGE"]], "definitions": {"subgraphs": [definition]}}  # fmt: skip


def told(facts: ImageFacts) -> Json:
    """What the fields say."""
    return {name: getattr(facts, name) for name in facts.__struct_fields__ if name != "extra"}


@pytest.mark.parametrize("promoted", [False, True])
def test_a_subgraph_is_the_nodes_that_it_is_made_of(promoted: bool) -> None:
    facts = read(with_subgraph(promoted=promoted))
    assert told(facts) == told(as_run(plain()))
    assert facts.extra["57:3 KSampler"]["steps"] == 20


def test_a_widget_that_a_subgraph_shows_as_its_own() -> None:
    facts = read(with_subgraph(promoted=True, text="a boat", seed=5))
    assert (facts.prompt, facts.seed) == ("a boat", 5)
    unset = read(with_subgraph(promoted=True, text=None))
    assert (unset.prompt, unset.seed) == ("as it was once", 1632)


def test_a_subgraph_that_is_bypassed_or_muted_is_not_entered() -> None:
    for mode in (2, 4):
        workflow = with_subgraph(promoted=False)
        find(workflow, 57)["mode"] = mode
        assert read(workflow).seed is None


def with_group(row: list[Any]) -> Json:
    """Both texts in a group node of an older editor; the second input called "clip" has its node's name before it."""
    workflow = drawn(plain())
    ends = {6: 0, 7: 1}
    workflow["nodes"] = [one for one in workflow["nodes"] if one["id"] not in ends]
    workflow["links"] = [link for link in workflow["links"] if link[3] not in ends]
    for link in workflow["links"]:
        if link[1] in ends:
            link[1], link[2] = 20, ends[link[1]]
    encode = {
        "type": "CLIPTextEncode",
        "inputs": taker("CLIP", "clip"),
        "outputs": [{"type": "CONDITIONING"}],
    }
    nodes = [encode | {"index": place, "widgets_values": ["once"]} for place in (0, 1)]
    workflow["extra"] = {"groupNodes": {"texts": {"nodes": nodes, "links": [], "external": []}}}
    inputs = [
        {"name": "clip", "type": "CLIP", "link": 61},
        {"name": "CLIPTextEncode clip", "type": "CLIP", "link": 62},
    ]
    workflow["nodes"].append(drawn_node(20, "workflow>texts", inputs, row))
    workflow["links"] += [[61, 4, 1, 20, 0, "CLIP"], [62, 4, 1, 20, 1, "CLIP"]]
    return workflow


def test_a_group_node_is_the_nodes_that_it_is_made_of() -> None:
    assert told(read(with_group(["a (red:1.2) house", "fog"]))) == told(as_run(plain()))


def test_a_group_node_whose_values_do_not_fit_says_nothing_wrong() -> None:
    facts = read(with_group(["a", "b", "c"]))
    assert (facts.prompt, facts.seed) == ("", 1632)
    assert facts.extra["20 workflow>texts"] == {"1": "a", "2": "b", "3": "c"}


def test_links_within_a_group() -> None:
    workflow = drawn(with_loras())
    outputs = [{"type": kind} for kind in GIVES["CheckpointLoaderSimple"]]
    takes = [*taker("MODEL", "model"), *taker("CLIP", "clip")]
    inner = [
        {"type": "CheckpointLoaderSimple", "inputs": [], "outputs": outputs, "widgets_values": ["once"]},
        {"type": "LoraLoader", "inputs": takes, "outputs": outputs[:2], "widgets_values": ["once", 1, 1]},
    ]
    links = [[0, 0, 1, 0, 4, "MODEL"], [0, 1, 1, 1, 4, "CLIP"]]
    loading = {"nodes": inner, "links": links, "external": [[0, 1, "CLIP"]]}
    workflow["extra"] = {"groupNodes": {"loading": loading}}
    places = {(4, 1): 0, (4, 2): 1, (10, 0): 2, (10, 1): 3}
    workflow["nodes"] = [one for one in workflow["nodes"] if one["id"] not in (4, 10)]
    for link in workflow["links"]:
        if link[1] in (4, 10):
            link[1], link[2] = 20, places.get((link[1], link[2]), 0)
    row = ["sd15\\dream shaper.safetensors", "styles/ink.safetensors", 0.8, 1]
    workflow["nodes"].append(drawn_node(20, "workflow/loading", [], row))
    assert told(read(workflow)) == told(as_run(with_loras()))


def test_circles_and_subgraphs_of_themselves_end() -> None:
    workflow = with_subgraph(promoted=True)
    definition = workflow["definitions"]["subgraphs"][0]
    definition["nodes"] += [drawn_node(name, SUBGRAPH, [], []) for name in range(100, 110)]
    assert len(graph_of_workflow(workflow).nodes) <= 5_000  # type: ignore[union-attr]
    ring = drawn(plain())
    for place in (80, 81):
        ring["nodes"].append(
            drawn_node(place, "Reroute", [{"name": "", "type": "*", "link": place + 20}], None)
        )
    ring["links"] += [[100, 81, 0, 80, 0, "*"], [101, 80, 0, 81, 0, "*"], [102, 80, 0, 3, 0, "MODEL"]]
    find(ring, 3)["inputs"][0]["link"] = 102
    assert read(ring).seed == 1632


_IDS = st.sampled_from([1, 2, "3", -10, -20, None])
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
_ODD = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), _SCALARS, max_size=2)
_KINDS = st.sampled_from(["KSampler", "CLIPTextEncode", "SaveImage", "VAEDecode", "Reroute", "PrimitiveNode", "GetNode",
                          "SetNode", "sub", "workflow>g", "LoraLoader", "Note"])  # fmt: skip
_SLOT = st.fixed_dictionaries(
    {"name": st.sampled_from(["model", "positive", "latent_image", "samples", "images", "text"]), "type": _ODD,
     "link": st.integers(0, 5) | _ODD}, optional={"widget": st.just({"name": "text"}) | _ODD},
)  # fmt: skip
_NODE = st.fixed_dictionaries(
    {"id": _IDS, "type": _KINDS},
    optional={
        "mode": st.sampled_from([0, 2, 4]) | _ODD,
        "inputs": st.lists(_SLOT | _ODD, max_size=4) | _ODD,
        "outputs": st.lists(st.fixed_dictionaries({"type": _ODD}) | _ODD, max_size=3) | _ODD,
        "widgets_values": st.lists(_ODD, max_size=8) | _ODD,
        "properties": st.fixed_dictionaries({"proxyWidgets": st.lists(_ODD, max_size=3)}) | _ODD,
    },
)
_PLACES = st.integers(-1, 3)
_LINK = st.tuples(st.integers(0, 5), _IDS, _PLACES, _IDS, _PLACES).map(list) | _ODD
_SHEET = st.fixed_dictionaries(
    {"nodes": st.lists(_NODE | _ODD, max_size=5), "links": st.lists(_LINK, max_size=6) | _ODD},
    optional={"inputs": st.lists(_SLOT, max_size=2) | _ODD, "external": st.lists(_ODD, max_size=2) | _ODD},
)


@given(_SHEET, _SHEET | _ODD, _SHEET | _ODD)
def test_any_workflow_is_read(sheet: Json, sub: Any, group: Any) -> None:
    definition = {**sub, "id": "sub"} if isinstance(sub, dict) else sub
    workflow = {**sheet, "definitions": {"subgraphs": [definition]}, "extra": {"groupNodes": {"g": group}}}
    found = foreign.read({"workflow": json.dumps(workflow)})
    assert found is None or isinstance(found.recipe().prompt, str)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"nodes": 1}', '{"nodes": [1]}', "[" * 999])
def test_what_is_no_workflow(text: str) -> None:
    assert foreign.read({"workflow": text}) is None
