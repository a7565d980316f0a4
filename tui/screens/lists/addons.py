"""LoRA files and textual inversions to be named in a prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from sdcore.spec.sanitise import sanitise
from tui.screens.lists.chooser import NO_FIT, Choice, Chooser

if TYPE_CHECKING:
    from sdcore.spec.found import Addon
    from tui.screens.studio.screen import Studio
    from tui.widgets.prompt import PromptEditor

_ROOM: Final = 140
"""Characters of trigger words that are shown: two lines."""
_NONE: Final = (
    "There is no LoRA and no embedding yet: put .safetensors files into {}, or name a folder that has some in the "
    "settings (⌥s), as model_folders."
)


async def pick_addon(studio: Studio, editor: PromptEditor) -> None:
    """Let the person choose one, and write it into the editor at the cursor."""
    studio.view.say("Looking for LoRAs and embeddings…")
    choices, empty = addon_choices(await studio.app.stock.addons(), studio.view.family)
    studio.view.say("")
    studio.counting.learn_words()
    chosen = await studio.app.push_screen_wait(Chooser("LoRAs and embeddings", choices, empty=empty))
    if chosen is not None:
        editor.write_word(chosen)
        editor.focus()


def known_vectors(addons: Iterable[Addon], family: str) -> dict[str, int]:
    """How many tokens each embedding takes that fits models of `family`, by name."""
    return {one.name: one.vectors for one in addons if one.vectors and not one.misfit(family)}


def lora_names(addons: Iterable[Addon], family: str) -> dict[str, str]:
    """What a prompt calls each LoRA that fits models of `family`, by path: its name, or as much of the end of its path
    as no other shares."""
    namesakes: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    fitting = {one.path: _parts(one) for one in addons if one.kind == "LoRA" and not one.misfit(family)}
    for parts in fitting.values():
        namesakes[parts[-1]].append(parts)
    return {path: "/".join(_own_end(parts, namesakes[parts[-1]])) for path, parts in fitting.items()}


def _parts(addon: Addon) -> tuple[str, ...]:
    path = PurePath(addon.path)
    return (*path.relative_to(path.anchor).parent.parts, path.stem)


def _own_end(parts: tuple[str, ...], namesakes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    ends = (parts[-count:] for count in range(1, len(parts) + 1))
    return next((end for end in ends if sum(one[-len(end) :] == end for one in namesakes) == 1), parts)


def addon_choices(addons: Iterable[Addon], family: str) -> tuple[list[Choice], str]:
    """The list for models of `family`, "" where that is not known: what fits comes first. And what is said where
    nothing is there."""
    from sdcore.library import paths

    addons = list(addons)
    names = lora_names(addons, family)
    choices = [_choice(one, family, names.get(one.path, one.name)) for one in addons]
    empty = NO_FIT if choices else _NONE.format(paths.models_dir())
    return sorted(choices, key=lambda choice: bool(choice.reason)), empty


def _choice(addon: Addon, family: str, name: str) -> Choice:
    is_lora = addon.kind == "LoRA"
    writable = name == sanitise(name, newlines=False) and not (is_lora and set("<>:") & set(name))
    reason = addon.misfit(family) if writable else "Its name cannot be written in a prompt: rename the file."
    size = f"{addon.bytes / 1e6:,.0f} MB" if addon.bytes >= 1e6 else f"{addon.bytes / 1e3:,.0f} kB"
    counted = f"{addon.vectors} token{'' if addon.vectors == 1 else 's'}" if addon.vectors else ""
    facts = ["LoRA" if is_lora else "embedding", " or ".join(addon.families), counted, size]
    summary = " · ".join(fact for fact in facts if fact)
    return Choice(
        value=f"<lora:{name}:1>" if is_lora else name,
        name=name,
        summary="" if reason else "\n".join(filter(None, (summary, _shortened(addon.words)))),
        reason=reason,
    )


def _shortened(words: Sequence[str]) -> str:
    """As many of the words as there is room for, never a part of one but of the first."""
    shown = ""
    for word in words:
        longer = f"{shown}, {word}" if shown else word[:_ROOM]
        if len(longer) > _ROOM:
            return f"{shown} …"
        shown = longer
    return shown
