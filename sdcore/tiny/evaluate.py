"""`python -m sdcore.tiny.evaluate`: does the bundled model draw what it is asked for?

Captions of scenes whose subject-colour-place combination no training scene has are given to the model, and
`matching` says what its pictures show. The report has four parts:

    scenes      how often subject, colour, place and size are as asked, for each guidance scale
    pairs       the same for captions with two subjects, each on its side
    negatives   how often an unnamed place or colour appears, before and after a negative prompt names it
    autoencoder PSNR of held-out scenes that went through the VAE and back
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from sdcore.tiny import weights_folder
from sdcore.tiny.captions import PLACE_PHRASES, full_caption
from sdcore.tiny.contact_sheet import Labelled, contact_sheet
from sdcore.tiny.drawing import render
from sdcore.tiny.matching import Verdict, judge
from sdcore.tiny.world import NATURAL, Scene, sample_scene

ATTRIBUTES = ("subject", "colour", "place", "size")
PAIRS_SHARE = 3
"""To so many captions there is one with two subjects, and one negative prompt of each kind."""
SHEET_SINGLES, SHEET_PAIRS = 40, 16


class ImageModel(Protocol):
    """What is evaluated."""

    def generate(
        self, prompts: Sequence[str], negatives: Sequence[str], guidance: float, seed: int
    ) -> np.ndarray:
        """Pictures for the prompts, uint8 (count, 128, 128, 3); picture k from the seed `seed + k`."""
        ...

    def reconstruct(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures, uint8 (count, 128, 128, 3), through the autoencoder and back."""
        ...


class DiffusersModel:
    """A Stable Diffusion folder, run by diffusers' own pipeline with the folder's own scheduler."""

    def __init__(self, folder: Path, *, steps: int = 25, batch: int = 8, device: str = "cpu") -> None:
        import torch
        from diffusers import StableDiffusionPipeline

        self.steps, self.batch, self.device = steps, batch, torch.device(device)
        self.pipe = StableDiffusionPipeline.from_pretrained(
            folder, dtype=torch.float32, safety_checker=None, local_files_only=True
        ).to(self.device)
        self.pipe.set_progress_bar_config(disable=True)

    def generate(
        self, prompts: Sequence[str], negatives: Sequence[str], guidance: float, seed: int
    ) -> np.ndarray:
        """See `ImageModel`."""
        import torch

        pictures = []
        for start in range(0, len(prompts), self.batch):
            chunk = slice(start, start + self.batch)
            seeds = range(seed + start, seed + start + len(prompts[chunk]))
            drawn = self.pipe(
                prompt=list(prompts[chunk]),
                negative_prompt=list(negatives[chunk]),
                num_inference_steps=self.steps,
                guidance_scale=guidance,
                generator=[torch.Generator("cpu").manual_seed(one) for one in seeds],
                output_type="np",
            ).images
            pictures.append((drawn * 255).round().astype(np.uint8))
            _progress(f"guidance {guidance:g}: {start + len(drawn)} of {len(prompts)} pictures")
        return np.concatenate(pictures)

    def reconstruct(self, pictures: np.ndarray) -> np.ndarray:
        """See `ImageModel`."""
        import torch

        done = []
        for start in range(0, len(pictures), self.batch):
            batch = torch.from_numpy(pictures[start : start + self.batch]).permute(0, 3, 1, 2).to(self.device)
            with torch.inference_mode():
                latents = self.pipe.vae.encode(batch.float() / 127.5 - 1).latent_dist.mode()
                decoded = self.pipe.vae.decode(latents).sample
            done.append(
                ((decoded + 1) * 127.5).clamp(0, 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            )
        return np.concatenate(done)


@dataclass(frozen=True, slots=True)
class Hits:
    """Of `captions` captions at one guidance scale, the shares, 0 to 1, whose attribute is as asked."""

    guidance: float
    captions: int
    subject: float
    colour: float
    place: float
    size: float


@dataclass(frozen=True, slots=True)
class Removal:
    """How often what a negative prompt names (a place or a colour) appears without and with it, 0 to 1."""

    names: str
    guidance: float
    captions: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Psnr:
    """Peak signal-to-noise ratio in dB of `pictures` reconstructions: over all, and of the worst one."""

    pictures: int
    mean: float
    worst: float


@dataclass(frozen=True, slots=True)
class Report:
    """All that `evaluate` found."""

    scenes: list[Hits]
    pairs: list[Hits]
    negatives: list[Removal]
    autoencoder: Psnr


def held_out_scenes(count: int, seed: int, *, pairs: bool = False) -> list[Scene]:
    """`count` held-out scenes with one subject each, or two if `pairs`; the same ones for the same seed."""
    return list(_take(count, _scenes(seed), lambda scene: (scene.second is not None) == pairs))


def evaluate(
    model: ImageModel,
    *,
    captions: int = 300,
    guidance: Sequence[float] = (1.0, 3.0, 5.0, 7.5),
    seed: int = 2026,
    sheet: Path | None = None,
) -> Report:
    """Judge the model. The last guidance scale is the one for negative prompts and for the contact sheet.

    Draws `captions` pictures for each scale, and a third of that for pairs; writes the PNG `sheet`, if given.
    `guidance` holds at least one number.
    """
    few = max(1, captions // PAIRS_SHARE)
    singles, pairs = held_out_scenes(captions, seed), held_out_scenes(few, seed, pairs=True)
    scene_hits, pair_hits = [], []
    for scale in guidance:
        pictures, verdicts = _judged(model, singles, scale, seed)
        scene_hits.append(_hits(scale, singles, verdicts))
        pair_pictures, pair_verdicts = _judged(model, pairs, scale, seed)
        pair_hits.append(_hits(scale, pairs, pair_verdicts))
    if sheet is not None:
        shown = [
            *islice(_labelled(singles, pictures, verdicts), SHEET_SINGLES),
            *islice(_labelled(pairs, pair_pictures, pair_verdicts), SHEET_PAIRS),
        ]
        contact_sheet(shown).save(sheet)
    return Report(
        scenes=scene_hits,
        pairs=pair_hits,
        negatives=[_removal(model, kind, singles[:few], guidance[-1], seed) for kind in REMOVALS],
        autoencoder=_psnr(model, list(_take(few, _scenes(seed), lambda scene: True))),
    )


class _Kind(NamedTuple):
    """A kind of negative prompt: the caption that leaves an attribute open, its natural value, and what a
    verdict says of it."""

    open_caption: Callable[[Scene], str]
    natural: Callable[[Scene], str]
    seen: Callable[[Verdict], str]


REMOVALS: dict[str, _Kind] = {
    "place": _Kind(
        lambda scene: f"a {scene.size} {scene.colour} {scene.subject}",
        lambda scene: NATURAL[scene.subject][1],
        lambda verdict: verdict.place,
    ),
    "colour": _Kind(
        lambda scene: f"a {scene.size} {scene.subject} {PLACE_PHRASES[scene.place][0]}",
        lambda scene: NATURAL[scene.subject][0],
        lambda verdict: verdict.colours[0],
    ),
}
"""The negative prompt names the natural value: the one that an open caption brings most often."""


def table(report: Report) -> str:
    """The report as plain text, in percent and dB."""
    lines: list[str] = []
    for title, rows in (("one subject", report.scenes), ("two subjects, both right", report.pairs)):
        lines += [
            f"{title}, {rows[0].captions} held-out captions",
            "guidance  subject   colour    place     size",
        ]
        lines += [
            f"{row.guidance:8g}" + "".join(f"{100 * getattr(row, name):8.1f}%" for name in ATTRIBUTES)
            for row in rows
        ]
        lines.append("")
    lines += ["a negative prompt names what the caption leaves open", "guidance    names   before    after"]
    lines += [
        f"{row.guidance:8g}{row.names:>9}{100 * row.before:8.1f}%{100 * row.after:8.1f}%"
        for row in report.negatives
    ]
    psnr = report.autoencoder
    lines += [
        "",
        f"autoencoder, {psnr.pictures} held-out scenes: {psnr.mean:.1f} dB, worst {psnr.worst:.1f} dB",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: prints the table, or one JSON object with `--json`."""
    parser = argparse.ArgumentParser(
        prog="python -m sdcore.tiny.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, default=weights_folder(), help="a diffusers folder")
    parser.add_argument("--captions", type=int, default=300)
    parser.add_argument("--guidance", type=_scales, default="1,3,5,7.5", help="for example 1,3,5,7.5")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument("--contact-sheet", type=Path, metavar="PNG", help="write labelled pictures here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.captions < 1:
        parser.error("--captions must be at least 1")
    if not (options.model / "model_index.json").is_file():
        parser.error(f"{options.model} is not a diffusers folder: it has no model_index.json")
    model = DiffusersModel(options.model, steps=options.steps, batch=options.batch, device=options.device)
    report = evaluate(
        model,
        captions=options.captions,
        guidance=options.guidance,
        seed=options.seed,
        sheet=options.contact_sheet,
    )
    print(json.dumps(asdict(report)) if options.json else table(report))


def _scales(text: str) -> tuple[float, ...]:
    try:
        scales = tuple(float(scale) for scale in text.replace(",", " ").split())
    except ValueError:
        scales = ()
    if not scales:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 1,3,5,7.5")
    return scales


def _scenes(seed: int) -> Iterator[Scene]:
    rng = random.Random(f"evaluation/{seed}")
    while True:
        yield sample_scene(rng, holdout=True)


def _take(count: int, scenes: Iterable[Scene], accept: Callable[[Scene], bool]) -> Iterator[Scene]:
    return islice(filter(accept, scenes), count)


def _judged(
    model: ImageModel, scenes: Sequence[Scene], guidance: float, seed: int
) -> tuple[np.ndarray, list[Verdict]]:
    pictures = model.generate([full_caption(scene) for scene in scenes], [""] * len(scenes), guidance, seed)
    return pictures, [judge(picture, scene) for picture, scene in zip(pictures, scenes, strict=True)]


def _hits(guidance: float, scenes: Sequence[Scene], verdicts: Sequence[Verdict]) -> Hits:
    asked = [verdict.as_asked(scene) for verdict, scene in zip(verdicts, scenes, strict=True)]
    shares = {name: sum(one[name] for one in asked) / len(asked) for name in ATTRIBUTES}
    return Hits(guidance, len(scenes), **shares)


def _labelled(
    scenes: Sequence[Scene], pictures: np.ndarray, verdicts: Sequence[Verdict]
) -> Iterator[Labelled]:
    for scene, picture, verdict in zip(scenes, pictures, verdicts, strict=True):
        missed = [name for name, right in verdict.as_asked(scene).items() if not right]
        yield Labelled(picture, full_caption(scene), ", ".join(missed))


def _removal(model: ImageModel, names: str, scenes: Sequence[Scene], guidance: float, seed: int) -> Removal:
    kind = REMOVALS[names]
    prompts, named = [kind.open_caption(scene) for scene in scenes], [kind.natural(scene) for scene in scenes]
    shares = []
    for negatives in ([""] * len(scenes), named):
        pictures = model.generate(prompts, negatives, guidance, seed)
        seen = [kind.seen(judge(picture, scene)) for picture, scene in zip(pictures, scenes, strict=True)]
        shares.append(sum(a == b for a, b in zip(seen, named, strict=True)) / len(scenes))
    return Removal(names, guidance, len(scenes), *shares)


def _psnr(model: ImageModel, scenes: Sequence[Scene]) -> Psnr:
    pictures = np.stack([np.asarray(render(scene)) for scene in scenes])
    errors = (model.reconstruct(pictures).astype(np.float64) - pictures) ** 2
    per_picture = 10 * np.log10(255**2 / np.maximum(errors.mean(axis=(1, 2, 3)), 1e-9))
    return Psnr(len(scenes), float(per_picture.mean()), float(per_picture.min()))


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
