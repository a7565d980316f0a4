"""The VAEs that can take the place of the model's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tui.image_text import size_of
from tui.parameter_row import short
from tui.screens.lists.chooser import Choice

if TYPE_CHECKING:
    from sdcore.spec.found import VaeFile

OWN: Final = ""
ELSEWHERE: Final = "elsewhere"
"""The two lines that stand for no VAE that was found: the model's own, and one that the person knows of. Paths begin
with a stroke."""


def vae_choices(vaes: Iterable[VaeFile], family: str, *, here: bool) -> list[Choice]:
    """The list for models of `family`, "" where that is not known: what fits comes first, and the files of this
    machine last where the engine is `here`."""
    found = sorted((_choice(one, family) for one in vaes), key=lambda choice: bool(choice.reason))
    fitting = [choice for choice in found if not choice.reason]
    elsewhere = Choice(ELSEWHERE, "Another…", "A .safetensors file, or a folder in diffusers' layout.")
    return [
        Choice(OWN, "the model's own"),
        *fitting,
        *([elsewhere] if here else []),
        *found[len(fitting) :],
    ]


def _choice(vae: VaeFile, family: str) -> Choice:
    facts = " · ".join(fact for fact in (" or ".join(vae.families), size_of(vae.bytes)) if fact)
    reason = vae.misfit(family)
    return Choice(vae.path, vae.name, "" if reason else f"{facts}\n{short(vae.path)}", reason)
