"""`sdtui` and its subcommands: a table. Nothing heavy is imported before it must be."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from sdcore.library.config import PICTURES
from sdcore.spec.sanitise import sanitise
from tui.term.colour import FLAGS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `sdtui`; returns the exit status: 0, 1 (failed) or 2 (usage)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a C locale is no reason to fail
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(_joined(given))
    from tui.commands.console import FAILED, CommandError, complain

    try:
        if options.host is not None and options.with_host != "here":
            if options.with_host == "refused":
                parser.error(_NOT_THERE)
            from tui.commands import far

            return far.run(options, given)
        module, _, function = options.run.partition(":")
        status: int = getattr(importlib.import_module(module), function or "run")(options)
    except CommandError as fault:
        complain(str(fault))
        return fault.status
    except KeyboardInterrupt:
        complain("Stopped.")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as fault:
        complain(_logged(fault))
        return FAILED
    return status


def _logged(fault: Exception) -> str:
    """One sentence on a fault that nobody foresaw; its traceback goes to the log."""
    import logging

    from sdcore.engine.log import log_path, log_to, open_log

    what = f"{type(fault).__name__}: {fault}".splitlines()[0][:200]
    try:
        log_to(open_log())
        logging.getLogger(__name__).error("unforeseen", exc_info=fault)
    except OSError:
        return f"Something went wrong ({what}), and the log cannot be written; run sdtui doctor."
    return f"Something went wrong ({what}); the details are in {log_path()}."


@dataclass(frozen=True)
class Option:
    """An argument of a command as argparse takes it, in the help under a heading where it has one."""

    flags: tuple[str, ...]
    settings: dict[str, Any]
    heading: str = ""


@dataclass(frozen=True)
class Command:
    """A subcommand: where it is implemented ("module" or "module:function"), what it takes, and what becomes of it
    with --host: it runs here and uses the other machine's engine, it runs there, or it is refused."""

    name: str
    run: str
    summary: str
    options: tuple[Option, ...] = ()
    with_host: Literal["here", "there", "refused"] = "refused"


def _option(*flags: str, heading: str = "", **settings: Any) -> Option:
    return Option(flags, settings, heading)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not re.fullmatch("-?[0-9]{1,19}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most} is wanted, not {text!r}")
        return int(text)

    return number


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch("([0-9]{1,5})[x×]([0-9]{1,5})", text.lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"WIDTHxHEIGHT is wanted, for example 512x512, not {text!r}")
    return int(found[1]), int(found[2])


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        wanted = "numbers with commas between them are wanted, for example 14.6,7.1,2.5"
        raise argparse.ArgumentTypeError(f"{wanted}, not {text!r}") from None


_IMAGE: Final = _option("image", metavar="IMAGE", help="a PNG, JPEG or WebP file")
_JSON: Final = _option("--json", action="store_true", help="one JSON object a line on stdout, nothing else")
_MODEL: Final = _option("--model", metavar="REF", help="tiny, a folder, a file, a name or an id of the hub")
_DEVICE: Final = _option("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N")
_COLOR: Final = _option("--color", choices=tuple(FLAGS), help="the terminal's colours (auto)")

_NOT_THERE: Final = "with --host there are the app, attach, status, stop, models and doctor"

SHARED: Final = (_MODEL, _DEVICE, _COLOR)
"""Options of the app and of some commands, taken before and behind the command's name."""

_START: Final = "from a picture"
_HIRES: Final = "enlarged in a second pass"
_NOISE: Final = "noise"
_READING: Final = "how the model is used"

RECIPE: Final = (
    _option("prompt", metavar="PROMPT", help="what to make"),
    _option("--negative", default="", metavar="TEXT", help="what to keep out"),
    _option("--steps", type=_whole(1, 1000), metavar="N", help="sampler steps (30, or one for each of --sigmas)"),
    _option("--guidance", type=float, default=7.5, metavar="G", help="guidance scale (7.5)"),
    _option("--seed", type=_whole(-1, 2**63 - 1), default=-1, metavar="S", help="-1 or absent: random"),
    _option("--size", type=_size, metavar="WxH", help="pixels, multiples of 8 (the model's own)"),
    _option("--sampler", default="LMS", metavar="NAME", help="see sdtui samplers (LMS)"),
    _option("--schedule", metavar="NAME", help="see sdtui samplers (automatic, or custom with --sigmas)"),
    _option("--sigmas", type=_numbers, default=(), metavar="LIST",
            help="the noise at each step, highest first, for example 14.6,7.1,2.5"),
    _MODEL,
    _DEVICE,
    _option("--init", heading=_START, default="", metavar="IMAGE", help="start from this picture"),
    _option("--strength", heading=_START, type=float, default=0.75, metavar="F",
            help="0 keeps the picture, 1 forgets it (0.75)"),
    _option("--mask", heading=_START, default="", metavar="IMAGE", help="repaint it where this is white"),
    _option("--mask-blur", heading=_START, type=_whole(0, 256), default=4, metavar="N",
            help="soften the mask's edge over so many pixels (4)"),
    _option("--hires", heading=_HIRES, type=float, default=1.0, metavar="SCALE", help="how many times larger (1: not)"),
    _option("--hires-steps", heading=_HIRES, type=_whole(0, 1000), default=0, metavar="N",
            help="steps of the second pass (as many as the first)"),
    _option("--hires-strength", heading=_HIRES, type=float, default=0.5, metavar="F",
            help="how much of it is painted anew (0.5)"),
    _option("--hires-upscaler", heading=_HIRES, default="latent", metavar="NAME", help="latent or Lanczos (latent)"),
    _option("--variation-seed", heading=_NOISE, type=_whole(0, 2**63 - 1), default=0, metavar="S",
            help="the seed to turn the noise towards (0)"),
    _option("--variation-strength", heading=_NOISE, type=float, default=0.0, metavar="F",
            help="how far, 0 to 1 (0)"),
    _option("--rng", heading=_NOISE, default="cpu", metavar="NAME",
            help="cpu, or gpu (NV, Philox): as a CUDA GPU draws, for seeds from A1111 (cpu)"),
    _option("--clip-skip", heading=_READING, type=_whole(1, 12), default=1, metavar="N",
            help="read the text encoder's N-th layer from its end (1)"),
    _option("--emphasis", heading=_READING, default="original", metavar="NAME",
            help="how weights of words act: original, no norm, ComfyUI, ignore (original)"),
    _option("--guidance-rescale", heading=_READING, type=float, default=0.0, metavar="F",
            help="0 to 1, for models with zero terminal SNR (0)"),
    _option("--vae", heading=_READING, default="", metavar="REF",
            help="another VAE: a folder, a file, a model or a name"),
)  # fmt: skip
"""What says which image is to be made, in every command that makes some."""

COMMANDS: Final = (
    Command(
        "generate",
        "tui.commands.generate",
        "make images without the app",
        (
            *RECIPE,
            _option(
                "--count",
                type=_whole(1, 10_000),
                default=1,
                metavar="N",
                help="images, or batches of them, from seeds S, S+1, … (1)",
            ),
            _option(
                "--batch",
                type=_whole(1, 64),
                default=1,
                metavar="N",
                help="images at once, each of a seed of its own (1)",
            ),
            _option("--out", metavar="DIR", help="save below this folder"),
            _COLOR,
            _JSON,
        ),
    ),
    Command(
        "trace",
        "tui.commands.trace",
        "write a run as files: contact sheet, schedule, latent channels, numbers",
        (
            *RECIPE,
            _option("--out", required=True, metavar="FOLDER", help="write into this folder"),
            _option("--every", type=_whole(1, 1000), default=1, metavar="K", help="show every K-th step (1)"),
            _JSON,
        ),
    ),
    Command("inspect", "tui.commands.inspect", "how was this image made?", (_IMAGE, _JSON)),
    Command(
        "show",
        "tui.commands.show",
        "show an image in the terminal",
        (
            _IMAGE,
            _option(
                "--as", dest="way", choices=PICTURES[1:], help="how it is drawn (the best that there is)"
            ),
            _COLOR,
        ),
    ),
    Command(
        "replay",
        "tui.commands.replay",
        "make an image again from what it says about itself",
        (
            _IMAGE,
            _option(
                "--verify",
                action="store_true",
                help="compare the pixels instead; exit status 1 if they differ",
            ),
            _MODEL,
            _DEVICE,
            _COLOR,
        ),
    ),
    Command(
        "models",
        "tui.commands.models",
        "which models are there?",
        (
            _option(
                "folders", nargs="*", metavar="FOLDER", help="models, or folders of models, to list as well"
            ),
            _JSON,
        ),
        with_host="there",
    ),
    Command("samplers", "tui.commands.samplers", "which samplers and noise schedules are there?", (_JSON,)),
    Command(
        "status",
        "tui.commands.engine:status",
        "what is the engine process doing?",
        (_JSON,),
        with_host="there",
    ),
    Command(
        "attach",
        "tui.commands.engine:attach",
        "open the app on the engine that runs; start none",
        with_host="here",
    ),
    Command(
        "stop",
        "tui.commands.engine:stop",
        "end the engine process; what is unfinished is kept for the next one",
        (
            _option("--drop", action="store_true", help="and take everything out of the queue"),
            _option("--when-done", action="store_true", help="after its last job"),
            _option(
                "--force", action="store_true", help="though a step hangs; what it was making is held then"
            ),
        ),
        with_host="there",
    ),
    Command(
        "gate",
        "tui.commands.gate",
        "for sdtui --host: let another machine reach the engine of this one",
        (_option("link", metavar="LINK", help="made up by the other side"), _DEVICE),
    ),
    Command("doctor", "tui.commands.doctor", "what works here, what does not, what to do", with_host="there"),
    Command(
        "bench",
        "tui.commands.bench",
        "this loop beside diffusers' own pipelines, in one run",
        (
            _option("--bundled", action="store_true", help="measure the bundled model"),
            _option("--sd15", action="store_true", help="measure SD 1.5 at 512x512 with random weights"),
            _option("--sdxl", action="store_true", help="measure SDXL at 1024x1024 with random weights"),
            _option(
                "--turns", type=_whole(1, 1000), default=7, metavar="N", help="how often each side runs (7)"
            ),
            _option("--steps", type=_whole(1, 1000), default=30, metavar="N", help="sampler steps (30)"),
            _option(
                "--size",
                type=_whole(0, 8192),
                default=0,
                metavar="N",
                help="side in pixels (the model's own)",
            ),
            _option(
                "--compile",
                action="append",
                choices=["graphs", "compile"],
                help="also with CUDA graphs, or compiled (on a GPU: both)",
            ),
            _DEVICE,
            _JSON,
        ),
    ),
)


_TAKING: Final = frozenset(
    flag
    for command in COMMANDS
    for option in command.options
    for flag in option.flags
    if flag.startswith("-") and "action" not in option.settings
)
"""The flags that a value follows."""


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--negative -x` as `--negative=-x`: argparse takes whatever begins with a dash for a flag."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in _TAKING and re.match("-[^-]", argument) and argument != "-h":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one sentence that is safe to show."""

    def error(self, message: str) -> NoReturn:
        said = sanitise(message, newlines=False).removeprefix("argument ")
        self.exit(2, f"{said}; see {self.prog} --help.\n")


def _parser() -> argparse.ArgumentParser:
    import sdcore

    parser = _Parser(
        prog="sdtui",
        description="Stable Diffusion in the terminal. Without a command, the app opens.",
        allow_abbrev=False,
    )
    parser.set_defaults(run="tui.commands.open", with_host="here")
    parser.add_argument("--version", action="version", version=f"sdtui {sdcore.__version__}")
    parser.add_argument("--host", metavar="USER@BOX", help="use the engine of another machine, through ssh")
    parser.add_argument(
        "--remote-command", metavar="COMMAND", help="how sdtui is called there, where it is not in its PATH"
    )
    parser.add_argument(
        "--low-bandwidth", action="store_true", help="few and coarse previews, for a slow line"
    )
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    for option in SHARED:
        parser.add_argument(*option.flags, **option.settings)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS:
        child = commands.add_parser(
            command.name, help=command.summary, description=command.summary, allow_abbrev=False
        )
        child.set_defaults(run=command.run, with_host=command.with_host)
        headed: dict[str, Any] = {"": child}
        for option in command.options:
            # Given before the command, it must not be reset by its default behind it.
            default = {"default": argparse.SUPPRESS} if option in SHARED else {}
            if option.heading not in headed:
                headed[option.heading] = child.add_argument_group(option.heading)
            headed[option.heading].add_argument(*option.flags, **option.settings | default)
    return parser


if __name__ == "__main__":
    sys.exit(main())
