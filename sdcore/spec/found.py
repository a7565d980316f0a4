"""What is found on the disks of a machine: models, and what a prompt can name besides words. Only told of here; found
by `sdcore.library`, on this machine or on the engine's."""

from __future__ import annotations

from typing import Literal

import msgspec

from sdcore.spec.sanitise import sanitise

AddonKind = Literal["LoRA", "textual inversion"]


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A model on disk: a folder in the layout of diffusers or one file. `bytes` is the size of all that belongs to it.

    `family` is one of `sdcore.spec.families`, "" where there is none that fits; `variant` is the way it was distilled,
    where tensors or name tell. `native_size` is the side in pixels of the images that it was trained on. `parameters`
    and `dtype` (as in `sdcore.weights.BITS`) are those of its networks, 0 and "" where they cannot be told. `hub` says
    that the name is its id on the Hugging Face hub; `whole`, that text encoder and VAE come with the network; `title`
    is what people call it where that is more than its family.
    `problem` is a sentence that says why it cannot be loaded, "" if nothing speaks against it.
    """

    name: str
    path: str
    family: str
    bytes: int
    bundled: bool
    native_size: int
    kind: Literal["folder", "file"] = "folder"
    variant: str = ""
    inpainting: bool = False
    parameters: int = 0
    dtype: str = ""
    hub: bool = False
    whole: bool = True
    title: str = ""
    problem: str = ""

    @property
    def ref(self) -> str:
        """What a `Recipe` calls it: a name that means the same on every machine, or its path."""
        return self.name if self.bundled or self.hub else self.path

    @property
    def what(self) -> str:
        """What it is in a word or three, for example "SDXL Turbo inpainting"."""
        name = self.title or self.family or "unknown"
        words = (name, self.variant, "inpainting" if self.inpainting else "")
        return " ".join(word for word in words if word)


class VaeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A VAE by itself: a file, or a folder in the layout of diffusers. `families` are those of the models that it fits,
    `problem` is a sentence that says why it cannot be loaded, "" if nothing speaks against it."""

    name: str
    path: str
    families: tuple[str, ...] = ()
    bytes: int = 0
    problem: str = ""

    def misfit(self, family: str) -> str:
        """Why it cannot take the place of that of a model of `family`, as a sentence; "" if it can, as far as one can
        tell."""
        return self.problem or _misfit(self.name, self.families, family)


class Addon(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA file or a textual inversion. `alias` is what its trainer called it.

    `families` are those of the models that it fits, none where that cannot be told. `words` are those that call forth
    what a LoRA was trained on, `vectors` counts the tokens that an inversion takes. `problem` completes "This file …"
    or is a sentence where it cannot be used.
    """

    kind: AddonKind
    name: str
    path: str
    families: tuple[str, ...] = ()
    bytes: int = 0
    alias: str = ""
    words: tuple[str, ...] = ()
    vectors: int = 0
    problem: str = ""

    def misfit(self, family: str) -> str:
        """Why it cannot be added to a model of `family`, as a sentence; "" if it can, as far as one can tell."""
        return self.problem or _misfit(self.name, self.families, family)


def _misfit(name: str, families: tuple[str, ...], family: str) -> str:
    if families and family and family not in families:
        return f"{sanitise(name, newlines=False)} is for {' or '.join(families)}, and the model is {family}."
    return ""
