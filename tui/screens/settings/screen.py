"""The settings: every one with its value and what it is for, and the key of every action."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, get_args

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sdcore.library import config
from sdcore.library.config import DEFAULTS, SETTINGS
from sdcore.library.setting import GROUPS
from sdcore.spec.sanitise import sanitise
from tui.actions import ACTIONS, Group, Scope, bindings, footer
from tui.once_begun import once_begun
from tui.screens.lists.chooser import NO_FIT, ChoiceList, Narrowing
from tui.screens.settings.editing import ask_for
from tui.widgets.head import HeadLine
from tui.widgets.notes import Notes
from tui.widgets.setting_lines import Line, key_line, setting_line
from tui.widgets.status import FooterLine

if TYPE_CHECKING:
    from tui.app import SdtuiApp

_KEYS: Final = "keys"
_WIDTHS: Final = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
_HEIGHTS: Final = [(0, "-short"), (32, "-tall"), (50, "-high")]


class SettingList(ChoiceList, inherit_bindings=False):
    """The lines; what is done with them, the screen does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding for binding in bindings("list")
        if isinstance(binding, Binding) and binding.id not in ("list_select", "list_close")
    ]  # fmt: skip


class SettingsScreen(Narrowing[None], inherit_bindings=False):
    """Made from the table of the settings and from the registry of the actions alone."""

    SCOPE: Scope = "settings"
    GROUP: Group = "Settings"
    BINDINGS = bindings("settings")
    CSS_PATH = "settings.tcss"
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    HELP = (
        "What sdtui keeps to itself, in the file config.toml. Type to find a setting, Enter changes it, "
        "Delete puts the default back; ● marks what is not the default, ! what is wrong in the file. The file "
        "is yours: F4 opens it in your editor, comments stay, and what you write there counts as soon as it "
        "can. Below the settings, every action can be given another key."
    )
    app: SdtuiApp

    @property
    def about(self) -> str:
        """What the setting under the cursor is for, and the screen."""
        line = self._lines.get(self._at)
        return "\n\n".join((f"{line.title}: {' '.join(line.sentences)}", self.HELP) if line else (self.HELP,))

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, Line] = {}
        self._shown: list[str] = []
        self._at = ""
        self._said = ""

    def compose(self) -> ComposeResult:
        """The list, what is said of the line under the cursor, and what is wrong."""
        yield HeadLine("settings", id="head")
        with Vertical(id="settings"):
            yield SettingList(id="setting-list", markup=False)
        yield Notes(id="setting-about")
        yield Notes(id="setting-problem")
        yield FooterLine(id="footer")

    def on_mount(self) -> None:
        """Show what is set; follow what is changed, here or in the file."""
        self.query_one(HeadLine).show((_short(config.config_file()),))
        self.query_one(FooterLine).show(footer("settings"))
        self.query_one("#setting-problem").add_class("-alert")
        self.app.preferences.changed.subscribe(self, lambda _: self._read())
        self.query_one(SettingList).focus()
        self._read()

    def on_resize(self) -> None:
        """The lines are longer or shorter."""
        self.call_after_refresh(self._fill)

    # The list

    def _read(self) -> None:
        preferences = self.app.preferences
        problems = {problem.name: str(problem) for problem in preferences.problems}
        values = config.values_of(preferences.settings)
        lines = [
            setting_line(name, values[name], problems.get(name, "")) for name in SETTINGS if name != _KEYS
        ]
        lines.sort(key=lambda line: GROUPS.index(line.group))
        lines += [key_line(action, preferences.keymap, problems.get(f"keys.{action.name}", ""))
                  for action in sorted(ACTIONS, key=lambda action: get_args(Group).index(action.group))]  # fmt: skip
        self._lines = {line.name: line for line in lines}
        self._said = ""
        self._fill()

    def _fill(self) -> None:
        options = self.query_one(SettingList)
        width = max(30, options.size.width - 3)
        words = self._typed.casefold().split()
        fitting = [line for line in self._lines.values() if all(word in line.words for word in words)]
        entries: list[Option] = []
        self._shown = []
        for group, lines in groupby(fitting, key=lambda line: line.group):
            entries.append(Option(Content.styled(group, "$accent"), disabled=True))
            self._shown.append("")
            for line in lines:
                entries.append(Option(line.content(width), id=line.name))
                self._shown.append(line.name)
        with self.prevent(OptionList.OptionHighlighted):
            options.clear_options()
            options.add_options(entries or [Option(Content.styled(NO_FIT, "$dim"), disabled=True)])
        if not self._at or self._at not in self._shown:
            self._at = next(filter(None, self._shown), "")
        options.highlighted = self._shown.index(self._at) if self._at else None
        changed = sum(line.changed for line in self._lines.values())
        box = self.query_one("#settings")
        box.border_title = f"settings · {changed} changed" if changed else "settings"
        box.border_subtitle = Content(
            f"{sanitise(self._typed, newlines=False)}▏" if self._typed else "type to search"
        )
        self._tell()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say what it is."""
        event.stop()
        self._at, self._said = event.option.id or "", ""
        self._tell()

    def _tell(self) -> None:
        line = self._lines.get(self._at)
        self.query_one("#setting-about", Notes).show(*(line.sentences if line else ()))
        of_file = [
            str(problem) for problem in self.app.preferences.problems if problem.name not in self._lines
        ]
        wrong = self._said or (line.problem if line else "")
        self.query_one("#setting-problem", Notes).show(*([wrong] if wrong else of_file))

    # Keys

    def action_close(self) -> None:
        """Show all again, or go back to work."""
        if self._typed:
            self._typed = ""
            self._fill()
        else:
            self.dismiss(None)

    def action_change(self) -> None:
        """Ask for another value."""
        self.query_one(SettingList).action_select()

    async def on_footer_line_pressed(self, message: FooterLine.Pressed) -> None:
        """A key of the footer was clicked."""
        await self.app.action_do(message.name)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Change it."""
        event.stop()
        if event.option.id is not None:
            self.run_worker(once_begun(self._change, event.option.id), group="choose", exclusive=True)

    async def _change(self, name: str) -> None:
        preferences = self.app.preferences
        table, _, action = name.partition(".")
        if action:
            from tui.screens.settings.key_capture import KeyCapture

            key = await self.app.push_screen_wait(KeyCapture(action, preferences.keymap))
            if key is not None:
                self._say(await preferences.change_key(action, key))
            return
        present = config.values_of(preferences.settings)[table]
        value = await ask_for(self.app, table, present)
        if value is not None:
            self._say(await preferences.change({table: value}))

    def action_default(self) -> None:
        """Put the default back."""
        if self._at:
            self.run_worker(once_begun(self._default, self._at), group="choose", exclusive=True)

    async def _default(self, name: str) -> None:
        preferences = self.app.preferences
        table, _, action = name.partition(".")
        done = (
            preferences.change_key(action, None) if action else preferences.change({table: DEFAULTS[table]})
        )
        self._say(await done)

    def action_file(self) -> None:
        """Edit the file by hand."""
        from tui.editor import EditorError, edit_file

        try:
            edit_file(self.app, config.config_file())
        except EditorError as fault:
            self._say(str(fault))
        self.run_worker(once_begun(self.app.preferences.look), group="choose", exclusive=True)

    def _say(self, sentence: str) -> None:
        self._said = sentence
        self._tell()


def _short(path: Path) -> str:
    home = str(Path.home())
    return f"~{str(path)[len(home) :]}" if str(path).startswith(f"{home}/") else str(path)
