"""The command line of the bench, and the table that it prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

import msgspec
import transformers

from sdcore.bench.measuring import Report, measure
from sdcore.bench.subjects import SUBJECTS, Subject
from sdcore.diffusion.devices import choose_device, make_present
from sdcore.diffusion.model import ModelError
from sdcore.diffusion.speed import Mode

_GIB: Final = 1 << 30
_TERA: Final = 1e12
_ON_GPU: Final[tuple[Mode, ...]] = ("graphs", "compile")


def table(report: Report) -> str:
    """The figures for people."""
    lines = [
        f"{report.title}, {report.side}x{report.side}, LMS, {report.steps} steps, guidance 7.5, {report.device} "
        f"{report.dtype}, {report.threads} threads",
        f"  {'':<20}{'s/image':>9}{'it/s':>8}{'of matrix rate':>16}{'peak GiB':>10}{'ratio':>8}{'pixels':>9}",
    ]
    for way in report.ways:
        peak = f"{way.peak_bytes / _GIB:.2f}" if way.peak_bytes else "-"
        pixels = "same" if way.largest_difference == 0 else f"+-{way.largest_difference}"
        lines.append(
            f"  {way.name:<20}{way.seconds:>9.3f}{way.steps_per_second:>8.3g}{way.utilisation:>16.1%}{peak:>10}"
            f"{way.ratio:>8.3f}{pixels:>9}"
        )
        lines += [f"    {way.problem}"] if way.problem else []
    step = 1 / max(way.steps_per_second for way in report.ways)
    return "\n".join([
        *lines,
        f"  recording    {report.recording:.3f} of the time of the same run without it",
        f"  a preview    {1000 * report.preview_seconds:.2f} ms, {report.preview_seconds / step:.1%} of a step",
        f"  a step       {report.pass_flops / _TERA:.3f} TFLOP, at a matrix rate of {report.matrix_rate / _TERA:.2f} "
        "TFLOP/s",
        f"  loading      {report.load_seconds:.2f} s, {report.load_rate / _GIB:.2f} GiB/s of its files; reading them "
        f"alone {report.read_rate / _GIB:.2f} GiB/s",
        f"  reckoned     {report.needed_bytes / _GIB:.2f} GiB of memory",
    ])  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="sdtui bench", description="Our loop beside diffusers' own pipelines."
    )
    for subject in SUBJECTS:
        parser.add_argument(f"--{subject.name}", action="store_true", help=f"measure {subject.title}")
    parser.add_argument("--turns", type=int, default=7, help="how often each side runs (default 7)")
    parser.add_argument("--steps", type=int, default=30, help="sampler steps (default 30)")
    parser.add_argument("--size", type=int, default=0, help="width and height (default: the model's own)")
    parser.add_argument("--compile", action="append", choices=_ON_GPU, help="also with graphs or compiled")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--json", action="store_true", help="one JSON object a model on stdout")
    options = parser.parse_args(arguments)
    transformers.utils.logging.set_verbosity_error()
    try:
        device = choose_device(options.device)
        make_present(device)
        on_gpu = device.type == "cuda"
        modes = options.compile or (_ON_GPU if on_gpu else ())
        for number, subject in enumerate(_chosen(options, on_gpu)):
            report = measure(
                subject, options.device, max(1, options.steps), max(0, options.size), max(1, options.turns),
                modes,
            )  # fmt: skip
            print(
                msgspec.json.encode(report).decode() if options.json else "\n" * bool(number) + table(report)
            )
    except ModelError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def _chosen(options: argparse.Namespace, on_gpu: bool) -> Sequence[Subject]:
    """Those asked for; without any all of them on a GPU, the bundled one on a CPU, where the others take long."""
    named = [subject for subject in SUBJECTS if getattr(options, subject.name)]
    return named or (SUBJECTS if on_gpu else SUBJECTS[:1])
