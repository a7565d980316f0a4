"""One registry: a key that is not in it does not exist."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image
from textual.binding import BindingsMap
from textual.dom import DOMNode
from textual.widget import Widget

from sdcore.spec.recipe import Recipe
from sdcore.spec.styles import Style
from tests.ui.conftest import MakeApp
from tests.ui.recorded_run import RecordedRun
from tui.actions import ACTIONS, BY_NAME, Moment, bindings, commands, footer, key_label
from tui.line.stock import LocalStock
from tui.masking import Mask
from tui.screens.compare.screen import Compare
from tui.screens.help import HelpScreen, help_text
from tui.screens.inspector.fork import ForkForm
from tui.screens.inspector.screen import Inspector
from tui.screens.library.screen import LibraryScreen
from tui.screens.library.viewer import Files, Viewer
from tui.screens.lists.ask import Ask
from tui.screens.lists.chooser import Choice, ChoiceList, Chooser
from tui.screens.lists.files import FilePicker
from tui.screens.lists.models import Models
from tui.screens.lists.prompt_search import PromptSearch
from tui.screens.mask import MaskScreen
from tui.screens.named.presets import PresetForm, PresetList
from tui.screens.named.styles import StyleForm, StyleList
from tui.screens.named.wildcards import WildcardEditor, WildcardList
from tui.screens.queue.screen import QueueScreen
from tui.screens.settings.key_capture import KeyCapture
from tui.screens.settings.screen import SettingsScreen
from tui.screens.sweep.screen import SweepScreen
from tui.screens.variations.screen import Variations
from tui.screens.variations.tree import Node
from tui.widgets.folder_line import FolderLine
from tui.widgets.line_input import LineInput
from tui.widgets.model_lines import Device

MOMENTS: tuple[Moment, ...] = get_args(Moment)
COLLIDING = {"ctrl+h", "ctrl+i", "ctrl+m", "ctrl+left_square_bracket", "ctrl+a", "ctrl+b"}


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(ACTIONS)


def test_no_key_means_two_things_in_one_place() -> None:
    uses = Counter((action.scope, key) for action in ACTIONS for key in action.keys)
    assert [use for use, times in uses.items() if times > 1] == []
    everywhere = {key for action in ACTIONS if action.priority for key in action.keys}
    assert [action for action in ACTIONS if not action.priority and everywhere & set(action.keys)] == []


def test_an_editor_leaves_the_keys_of_the_studio_alone() -> None:
    studio = {key for action in ACTIONS if action.scope in ("studio", "app") for key in action.keys}
    editing = {key for action in ACTIONS if action.scope in ("editor", "prompt") for key in action.keys}
    assert studio & editing == set()


def test_no_key_collides_in_a_plain_terminal() -> None:
    assert {key for action in ACTIONS for key in action.keys} & COLLIDING == set()


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_footer_names_at_most_six_keys_and_help_among_them(moment: Moment) -> None:
    named = footer(moment)
    assert 3 <= len(named) <= 6
    assert {"help", "commands"} <= {action.name for action, _ in named}
    assert sum(len(action.key) + len(label) + 4 for action, label in named) <= 80


def test_help_lists_every_action() -> None:
    text = help_text("What this is for.").plain
    assert text.startswith("What this is for.")
    for action in ACTIONS:
        assert any(action.title in line and action.key in line for line in text.splitlines()), action.name


def test_key_labels() -> None:
    assert [key_label(key) for key in ("ctrl+j", "shift+tab", "f1", "escape", "enter", "alt+f")] == [
        "^J", "⇧⇥", "F1", "esc", "⏎", "⌥f",
    ]  # fmt: skip


async def test_every_key_of_every_widget_is_in_the_registry(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.studio.ready.wait()
        await pilot.pause()
        await app.push_screen(HelpScreen(""))
        await app.push_screen(Chooser("list", [Choice("a", "a")]))
        await app.push_screen(Inspector(app.inspecting, RecordedRun().info))
        await app.push_screen(ForkForm(Recipe(), "fork"))
        await app.push_screen(FilePicker("mask", "image", "", tmp_path))
        await app.push_screen(MaskScreen("a.png", Image.new("RGB", (8, 8)), Mask((8, 8)), (8, 8)))
        await app.push_screen(
            Compare(app.comparing, (Path("2.png"), Path("1.png")), Path("2.png"), Path("1.png"))
        )
        await app.push_screen(Models("tiny", Device(), LocalStock()))
        await app.push_screen(PromptSearch([]))
        await app.push_screen(StyleList(Recipe(), ()))
        await app.push_screen(StyleForm(Style("style")))
        await app.push_screen(PresetList(Recipe()))
        await app.push_screen(PresetForm("preset", Recipe(), Recipe(), set()))
        await app.push_screen(SweepScreen())
        await app.push_screen(WildcardList())
        await app.push_screen(WildcardEditor("wildcard", ""))
        await app.push_screen(Variations(app.varying, Node(Recipe())))
        nodes: list[DOMNode] = [app]
        for screen in app.screen_stack[1:]:
            nodes += [screen, *screen.query(Widget)]
        assert any(isinstance(node, ChoiceList) for node in nodes)
        known = {(action.handler, key) for action in ACTIONS for key in action.keys}
        strays = [
            (type(node).__name__, key, binding.action)
            for node in nodes
            if (isinstance(node, Widget) and node.focusable) or not isinstance(node, Widget) or node.is_modal
            for key, found in _bindings(node).key_to_bindings.items()
            for binding in found
            if (binding.action, key) not in known
        ]
        assert strays == []


def _bindings(node: DOMNode) -> BindingsMap:
    return node._bindings


async def test_every_action_has_its_method(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)):
        await app.studio.ready.wait()
        await app.push_screen(HelpScreen(""))
        help_screen = app.screen
        inspector, fork = Inspector(app.inspecting, RecordedRun().info), ForkForm(Recipe(), "fork")
        await app.push_screen(inspector)
        await app.push_screen(fork)
        compare = Compare(app.comparing, (Path("2.png"), Path("1.png")), Path("2.png"), Path("1.png"))
        await app.push_screen(compare)
        mask = MaskScreen("a.png", Image.new("RGB", (8, 8)), Mask((8, 8)), (8, 8))
        await app.push_screen(mask)
        models = Models("tiny", Device(), LocalStock())
        await app.push_screen(models)
        await app.push_screen(Chooser("list", [Choice("a", "a")]))
        assert app.studio.gallery.recent is not None
        owners = {
            "app": app, "studio": app.studio, "prompt": app.studio.prompt, "editor": app.studio.prompt,
            "parameters": app.studio.parameters, "recent": app.studio.gallery.recent, "help": help_screen,
            "steps": app.studio.query_one("#steps"), "list": app.screen.query_one(ChoiceList),
            "inspector": inspector, "fork": fork, "compare": compare,
            "mask": mask, "models": models, "folder": models.query_one(FolderLine),
            "sweep": SweepScreen(), "library": LibraryScreen(), "viewer": Viewer(Files([Path("none.png")]), 0),
            "ask": Ask("name", "A name."),
            "line": LineInput(),
            "completion": app.studio.prompt, "history": PromptSearch([]), "named": StyleList(Recipe(), ()),
            "styles": StyleList(Recipe(), ()), "form": StyleForm(Style("style")),
            "preset": PresetForm("preset", Recipe(), Recipe(), set()), "file": WildcardEditor("wildcard", ""),
            "variations": Variations(app.varying, Node(Recipe())),
            "queue": QueueScreen(),
            "settings": SettingsScreen(), "capture": KeyCapture("generate", {}),
        }  # fmt: skip
        for action in ACTIONS:
            place, _, name = action.handler.partition("(")[0].rpartition(".")
            owner = {"screen": app.screen, "app": app}.get(place, owners[action.scope])
            assert callable(getattr(owner, f"action_{name}", None)), action.name


async def test_the_palette_runs_a_command(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+p", *"lock the", "enter")
        await pilot.pause()
        assert app.studio.parameters.seed_locked
        assert {action.name for action in commands()} >= {"generate", "quit", "help", "steps"}


def test_bindings_carry_the_names_for_remapping() -> None:
    assert {binding.id for binding in bindings("app", "studio")} == {
        action.name for action in ACTIONS if action.scope in ("app", "studio")
    }
