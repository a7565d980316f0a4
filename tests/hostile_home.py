"""A home whose every file is hostile: one function a source, all in one table. A new source is one line there."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from PIL import Image, PngImagePlugin

from sdcore.library import config, history, marks, paths, record, searches
from sdcore.library.xmp import packet
from sdcore.spec.lineage import Parent, Segment
from sdcore.spec.recipe import Recipe
from sdcore.spec.sweep.typed import Template
from tests.hostile import line, names, texts
from tui import drafts

_SIZE: Final = (64, 48)


def build(home: Path) -> None:
    """Fill the folder that `SDTUI_HOME` names."""
    for write in SOURCES.values():
        write(home)


# Images


def _png(path: Path, said: Mapping[str, str], changed: int) -> None:
    info = PngImagePlugin.PngInfo()
    for name, text in said.items():
        info.add_itxt(name, text.encode("utf-8", "replace").decode())
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # Pillow asks the name for its format
        Image.new("RGB", _SIZE, (changed * 40 % 255, 90, 160)).save(file, "PNG", pnginfo=info)
    os.utime(path, (1_750_000_000 + changed,) * 2)


def _comfy(text: str) -> str:
    return json.dumps({
        "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "cfg": 7.0, "sampler_name": text,
              "scheduler": text, "denoise": 1, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
              "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": text}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 48, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": text}},
        "10": {"class_type": text, "inputs": {text: text}},
    })  # fmt: skip


def _own(text: str) -> str:
    recipe = Recipe(prompt=text, negative_prompt=text, model=text, vae=text, init_image=text, steps=4)
    return record.encode(record.ImageRecord(
        version=record.VERSION, recipe=recipe, model_hash=text, vae_hash=text, family=text, software=text, created=text,
        parent=Parent(image=text, step=1), segments=(Segment(start=0, recipe=recipe),), group=text, label=text,
        addons=(record.AddonUse(kind="LoRA", name=text, hash=text),), template=Template(prompt=text), styles=(text,),
        varied_from=text, job=text, device=text, dtype=text, torch=text,
    ))  # fmt: skip


def _web_ui(text: str) -> str:
    flat = text.replace("\n", " ")
    return (
        f"{flat}\nNegative prompt: {flat}\nSteps: 20, Sampler: {flat}, CFG scale: 7, Seed: 3, Size: 64x48, "
        f'Model: {flat}, Model hash: {flat}, Version: {flat}, Lora hashes: "{flat}: abc", {flat}: {flat}'
    )


def _novelai(text: str) -> dict[str, str]:
    said = {"prompt": text, "steps": 28, "sampler": text, "seed": 1, "strength": 0.7, "uc": text, "scale": 5.0,
            "signed_hash": text, text: text}  # fmt: skip
    return {
        "Title": text,
        "Description": text,
        "Software": "NovelAI",
        "Source": text,
        "Comment": json.dumps(said),
    }


WRITERS: Final[dict[str, Callable[[str], dict[str, str]]]] = {
    "sdtui": lambda text: {record.CHUNK: _own(text)},
    "A1111": lambda text: {"parameters": _web_ui(text)},
    "ComfyUI": lambda text: {"prompt": _comfy(text), "workflow": _comfy(text)},
    "NovelAI": _novelai,
    "InvokeAI": lambda text: {"invokeai_metadata": json.dumps({
        "app_version": text, "positive_prompt": text, "negative_prompt": text, "seed": 1, "scheduler": text,
        "model": {"name": text, "hash": text}, "loras": [{"model": {"name": text}, "weight": 1}], text: [text],
    })},
    "InvokeAI 2": lambda text: {"Dream": f'"{text}" -s 1 -S 2', "sd-metadata": json.dumps({
        "model_weights": text, "app_version": text, "image": {"prompt": text, "sampler": text, "steps": 3, "seed": 1},
    })},
    "Fooocus": lambda text: {"fooocus_scheme": "fooocus", "parameters": json.dumps({
        "prompt": text, "negative_prompt": text, "sampler": text, "base_model": text, "version": text, "steps": 3,
        "styles": text, "loras": [[text, 1.0, text]], text: text,
    })},
    "SwarmUI": lambda text: {"parameters": json.dumps({"sui_image_params": {
        "prompt": text, "negativeprompt": text, "model": text, "sampler": text, "seed": 1, "swarm_version": text,
    }, "sui_extra_data": {text: text}})},
    "diffusers": lambda text: {"generation_data": json.dumps({
        "prompt": text, "model": text, "steps": 3, "seed": 1, text: text,
    })},
    "nobody": lambda text: {"Comment": text, "Title": text, text[:70].encode("latin-1", "replace").decode("latin-1"):
                            text},
}  # fmt: skip
"""What each program's PNG says when all that it says is hostile."""


def _images(home: Path) -> None:
    """One of each writer, and one of A1111's for each payload."""
    folder = paths.outputs_dir() / "2026-03-01"
    for number, (writer, say) in enumerate(WRITERS.items()):
        _png(folder / f"{number:02d}-{writer}.png", say(texts("im")[number]), 100 + number)
    for number, text in enumerate(texts("im")):
        _png(folder / f"{number:02d}-web.png", {"parameters": _web_ui(text)}, number)


def _compressed(home: Path) -> None:
    """The same beside pixels of other formats."""
    folder = paths.outputs_dir() / "2026-03-02"
    folder.mkdir(parents=True, exist_ok=True)
    comment = b"UNICODE\0" + _web_ui(texts("ex")[0]).encode("utf-16-be")
    entry = struct.pack(">HHI", 0x9286, 7, len(comment))
    block = b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
    block += struct.pack(">H", 1) + entry + struct.pack(">II", 44, 0) + comment
    picture = Image.new("RGB", _SIZE, "red")
    picture.save(folder / "exif.jpg", exif=b"Exif\0\0" + block, comment=texts("ex")[1].encode())
    picture.save(folder / "exif.webp", exif=block)
    picture.save(folder / "xmp.webp", xmp=packet({record.CHUNK: _own(texts("ex")[2])}))


def _image_names(home: Path) -> None:
    """Image files, and folders of them, one called by each payload."""
    for number, name in enumerate(names("na")):
        folder = paths.outputs_dir() / names("fo")[number]
        _png(folder / f"{name}.png", {"parameters": _web_ui("a house")}, 200 + number)


def _broken(home: Path) -> None:
    """Files that are refused, by their names."""
    folder = paths.outputs_dir() / "2026-03-03"
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names("br")[:6]):
        (folder / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"?" * number)


def forks() -> list[Path]:
    """Images of one family, the oldest first, each called by a payload."""
    return [paths.outputs_dir() / "2026-03-04" / f"{name}.png" for name in names("fk")[2:8]]


def _forks(home: Path) -> None:
    """Each forked from the one before it, the last two from the same, and the first from one that is gone."""
    parents = [Path(line("fg").replace("/", "")), *forks()[:4], forks()[3]]
    for number, (path, parent) in enumerate(zip(forks(), parents, strict=True)):
        recipe = Recipe(prompt=line("fp", number), model=line("fp"), steps=4)
        other = msgspec.structs.replace(recipe, prompt=line("fp", number + 1), sampler=line("fp"))
        said = record.encode(record.ImageRecord(
            version=record.VERSION, recipe=other, parent=Parent(image=parent.name, step=number % 3),
            segments=(Segment(start=0, recipe=recipe), Segment(start=2, recipe=other)),
        ))  # fmt: skip
        _png(path, {record.CHUNK: said}, -100 - number)


# Models and what goes with them


def _weights(path: Path, tensors: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str] = {}) -> None:
    members: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in tensors.items():
        begin, size = end, 2
        for side in shape:
            size *= side
        end = begin + size
        members[name] = {"dtype": "F16", "shape": shape, "data_offsets": (begin, end)}
    raw = json.dumps(members).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)


_CROSS: Final = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
_CHECKPOINT: Final = {
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3), _CROSS: (640, 768),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
}  # fmt: skip
_LORA: Final = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (320, 4),
}


def _models(home: Path) -> None:
    """Checkpoints, sound and broken, in folders with names of their own, and folders of diffusers."""
    for number, name in enumerate(names("mo")):
        _weights(paths.models_dir() / f"{name}.safetensors", _CHECKPOINT, {"modelspec.title": texts("mo")[0]})
        if number < 8:
            _weights(paths.models_dir() / names("mf")[number] / "inside.safetensors", _CHECKPOINT)
            (paths.models_dir() / f"{names('mb')[number]}.safetensors").write_bytes(b"<html>")
    said = {"_class_name": line("md"), "unet": [line("md"), line("md", 3)], line("md"): line("md")}
    folder = paths.models_dir() / names("md")[4]
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps(said))


def _hub_cache(home: Path) -> None:
    """A cache of the hub: what it calls its models, their states and their files, and what those say."""
    for number, name in enumerate(names("hb")[:6]):
        model = home / "hub" / f"models--{name}--{names('hc')[number]}"
        snapshot = model / "snapshots" / names("hs")[number]
        snapshot.mkdir(parents=True)
        (model / "refs").mkdir()
        (model / "refs" / "main").write_bytes(os.fsencode(snapshot.name))
        said = {"_class_name": line("hi"), line("hi"): [line("hi"), line("hi", 3)]}
        if number % 2:
            (snapshot / "model_index.json").write_text(json.dumps(said))
        _weights(snapshot / f"{names('hf')[number]}.safetensors", _CHECKPOINT)


def _addons(home: Path) -> None:
    """LoRA files that say hostile things of themselves, and textual inversions."""
    for number, name in enumerate(names("lo")):
        text = texts("lm")[number % len(texts("lm"))]
        tags = {text: {word: 9 - place for place, word in enumerate(texts("lm")[:4])}}
        said = {"ss_tag_frequency": json.dumps(tags), "ss_base_model_version": text, text: text}
        if number % 2:
            said |= {
                "modelspec.trigger_phrase": text,
                "modelspec.architecture": text,
                "modelspec.title": text,
            }
        _weights(paths.models_dir() / "loras" / f"{name}.safetensors", _LORA, said)
        _weights(paths.models_dir() / "loras" / f"a lora {number}.safetensors", _LORA, said)
        _weights(
            paths.models_dir() / "embeddings" / f"{names('ti')[number]}.safetensors", {"emb_params": (2, 768)}
        )


# What a person wrote


def _draft(home: Path) -> None:
    draft = drafts.Draft(
        prompt="\n".join(texts("dr")),
        negative_prompt="\n".join(texts("dn")),
        styles=(line("st"), line("st", 4)),
    )
    rows = draft.rows | {"sampler": line("dw"), "steps": line("dw", 1), "model": "tiny", "vae": ""}
    drafts.save(msgspec.structs.replace(draft, rows=rows))


def _history(home: Path) -> None:
    known = history.PromptHistory()
    for text in texts("hi"):
        known.add(Recipe(prompt=text, negative_prompt=text, model=text))


def _named(root: str, tables: Mapping[str, Mapping[str, Any]], loose: str) -> str:
    lines = [f"[{root}]", f"{json.dumps(loose)} = {json.dumps(loose)}"]
    for name, table in tables.items():
        lines.append(f"[{root}.{json.dumps(name)}]")
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines).replace("\x7f", "\\u007f") + "\n"


def _styles(home: Path) -> None:
    tables = {text: {"prompt": f"{text} {{prompt}}", "negative": text} for text in texts("st")}
    text = _named("styles", tables | {line("sw"): {"prompt": 1}}, line("sw", 3))
    (paths.config_dir() / "styles.toml").write_text(text, "utf-8", "replace")
    sheet = io.StringIO()
    csv.writer(sheet).writerows(
        [("name", "prompt", "negative_prompt"), *((text,) * 3 for text in texts("sc"))]
    )
    (home / "styles.csv").write_text(sheet.getvalue(), "utf-8")


def _presets(home: Path) -> None:
    tables = {text: {"sampler": text, "model": text, "steps": 5, text: text} for text in texts("pr")}
    (paths.config_dir() / "presets.toml").write_text(
        _named("presets", tables, line("pr")), "utf-8", "replace"
    )


def _wildcards(home: Path) -> None:
    folder = paths.wildcards_dir()
    (folder / "colours.txt").write_text("\n".join(texts("wi")), "utf-8")
    for name in names("wn"):
        (folder / f"{name}.txt").write_bytes(b"a\nb\n")


def _marks(home: Path) -> None:
    path = paths.outputs_dir() / "2026-03-01" / "25-web.png"
    mark = marks.Mark(path=str(path), star=True, tags=tuple(text[:60] for text in texts("ta")))
    marks.marks_file().write_bytes(msgspec.json.encode({"marks": [mark]}))


def _searches(home: Path) -> None:
    kept = {text[:60]: text for text in texts("se")}
    searches.searches_file().write_bytes(msgspec.json.encode(kept))


def _config(home: Path) -> None:
    """Settings that are none, values that cannot be, and a few that can."""
    text = "".join(f"{json.dumps(one)} = {json.dumps(one)}\n" for one in texts("co")[:8])
    text += f"theme = {json.dumps(line('co'))}\nmodel = {json.dumps(line('cm'))}\n"
    folders = json.dumps([line("cl", 3), str(home / "hub")])
    text += f"library_folders = [{json.dumps(line('cl'))}]\nmodel_folders = {folders}\n"
    text += f"ssh = {json.dumps(line('cs'))}\nremote_command = {json.dumps(line('cs', 3))}\n"
    text += f"[keys]\n{json.dumps(line('ck'))} = {json.dumps(line('ck'))}\ngenerate = {json.dumps(line('ck', 3))}\n"
    config.config_file().write_text(text.replace("\x7f", "\\u007f"), "utf-8", "replace")


SOURCES: Final[dict[str, Callable[[Path], None]]] = {
    "images": _images,
    "compressed images": _compressed,
    "image names": _image_names,
    "broken images": _broken,
    "forks": _forks,
    "models": _models,
    "the cache of the hub": _hub_cache,
    "add-ons": _addons,
    "draft": _draft,
    "history": _history,
    "styles": _styles,
    "presets": _presets,
    "wildcards": _wildcards,
    "marks": _marks,
    "searches": _searches,
    "config": _config,
}
"""Everything of a home that somebody else may have written. The engine's own words are in `tests.hostile_host`."""
