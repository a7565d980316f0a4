"""What a recipe's prompts name beside words: found, and put into the networks before they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sdcore.diffusion.addons.attached import Attached, HeldNetwork, Use, use_of
from sdcore.diffusion.addons.inversion import AddonFile, Inversions
from sdcore.diffusion.denoiser import Network
from sdcore.notices import Notices
from sdcore.spec.families import family
from sdcore.spec.prompt_extras import Extra, take_extras, unread_extras
from sdcore.spec.recipe import Problem, Recipe, RecipeError
from sdcore.spec.sanitise import sanitise
from sdcore.spec.words import names_in


class AddonSource(Protocol):
    """Where the files are found that prompts name, as `sdcore.library.shelf.Shelf`."""

    def lora(self, name: str, family: str) -> AddonFile:
        """The LoRA of that name for models of a family. Raises `RecipeError` on the field "prompt"."""

    def embeddings(self, family: str) -> Mapping[str, AddonFile]:
        """The textual inversions for models of a family, by their names in any case of letters."""

    def unusable(self, family: str) -> Mapping[str, str]:
        """Why the other textual inversions cannot be used with such models, as sentences by name."""


class Nothing:
    """An `AddonSource` without files."""

    def lora(self, name: str, family: str) -> AddonFile:
        """Raises `RecipeError`."""
        missing = f"There is no LoRA {name[:100]!r}: this model was opened without a source of LoRAs."
        raise RecipeError([Problem("prompt", missing)])

    def embeddings(self, family: str) -> Mapping[str, AddonFile]:
        """None."""
        return {}

    def unusable(self, family: str) -> Mapping[str, str]:
        """None."""
        return {}


class Addons:
    """The add-ons of an open model. Those of `source` are there as soon as it is told of one.

    `modules` are its networks by the names of their folders, `inversions` those of its CLIP text encoders with the
    widths of their embeddings, in their order.
    """

    def __init__(
        self, modules: Mapping[str, Any], inversions: Sequence[tuple[Inversions, int]], family_name: str
    ) -> None:
        self.attached = Attached(modules, family_name)
        self._family = family_name
        self._inversions = [one for one, _ in inversions]
        self._source: AddonSource = Nothing()
        self._notices = Notices()
        parts = family(family_name).text
        for (inversion, width), part in zip(inversions, parts, strict=False):
            inversion.connect(lambda: self._source.embeddings(self._family), part, width)

    def connect(self, source: AddonSource) -> None:
        """Look names up in `source` from now on."""
        self._source = source

    def notices(self) -> list[str]:
        """What a person should know of the files that the prompts of runs named, each sentence once."""
        return [*self.attached.notices(), *self._notices.take()]

    def put_in(self, recipe: Recipe) -> tuple[Use, ...]:
        """Have the LoRA files that the recipe's prompts name in the networks' weights, and no others.

        Raises `RecipeError` for a name that there is not, `AddonError` for a file that cannot be used.
        """
        prompts = recipe.prompt, recipe.negative_prompt
        uses = tuple(self._use(extra) for prompt in prompts for extra in take_extras(prompt)[1])
        self.attached.use(uses)
        for prompt in prompts:
            self._tell_of_unread_tags(prompt)
        self._tell_of_unused_inversions([take_extras(prompt)[0] for prompt in prompts])
        return uses

    def files(self, recipe: Recipe) -> tuple[AddonFile, ...]:
        """The files that the recipe's prompts name, each once: LoRAs, then textual inversions. Raises as `put_in`."""
        plain: list[str] = []
        found: dict[str, AddonFile] = {}
        for prompt in (recipe.prompt, recipe.negative_prompt):
            text, extras = take_extras(prompt)
            plain.append(text)
            found |= {
                file.path: file for extra in extras if (file := self._source.lora(extra.name, self._family))
            }
        for inversions in self._inversions[:1]:
            found |= {file.path: file for text in plain for file in inversions.named_in(text)}
        return tuple(found.values())

    def held(self, network: Network, uses: tuple[Use, ...]) -> Network:
        """The network with these in its weights at every pass."""
        return HeldNetwork(network, self.attached, uses)

    def _tell_of_unread_tags(self, prompt: str) -> None:
        for one in unread_extras(prompt):
            shown = sanitise(prompt[one.start : one.end], newlines=False)[:100]
            self._notices.add(f"{shown} in the prompt is read as words: {one.reason}.")

    def _tell_of_unused_inversions(self, texts: Sequence[str]) -> None:
        unusable = self._source.unusable(self._family)
        names = {*unusable, *self._source.embeddings(self._family)}
        problems: dict[str, str] = {}
        for text in texts:
            for inversions in self._inversions:
                problems |= inversions.problems_in(text)
            problems |= {name: unusable[name] for _, _, name in names_in(text, names) if name in unusable}
        for name, problem in problems.items():
            shown = sanitise(name, newlines=False)[:100]
            self._notices.add(f"The embedding {shown} is not used: {problem}")

    def _use(self, extra: Extra) -> Use:
        file = self._source.lora(extra.name, self._family)
        text, network = extra.weights if len(extra.weights) == 2 else (extra.weights or (1.0,))[:1] * 2
        return use_of(file.path, file.name, network, text, extra.rank)
