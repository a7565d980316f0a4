"""The prompt editor: several lines, its grammar painted, a token count in its border, history at its edges."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar, Final, Protocol

from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widgets import TextArea
from textual.widgets.text_area import Location, Selection

from sdcore.spec.chunks import CHUNK
from sdcore.spec.prompt_marks import change_weight, spans
from sdcore.spec.sanitise import sanitise
from tui.actions import bindings
from tui.typed import is_alt, typed
from tui.widgets.prompt_marks import PARTS, PromptMarks

READ_DELAY: Final = 0.1
"""How long the keys have to rest, in seconds, before a very long prompt is painted anew."""
WEIGHT_STEP: Final = 0.1
_BORDER: Final = 6
"""Cells of the border that no text can have: a corner, a line and a blank at either end."""


class History(Protocol):
    """The prompts used before, as the editor walks them."""

    def older(self, current: str) -> str | None:
        """The prompt before the one shown; `current` is kept when the walk begins. None at the oldest."""

    def newer(self) -> str | None:
        """The prompt after the one shown, at last the text kept; None when there is no walk."""


class Completer(Protocol):
    """What suggests how a word goes on, as the editor asks it."""

    @property
    def is_open(self) -> bool:
        """Whether suggestions are shown."""

    @property
    def is_entered(self) -> bool:
        """Whether ↑ and ↓ move among them."""

    def typed(self, editor: PromptEditor) -> None:
        """A letter was typed or taken back."""

    def ask(self, editor: PromptEditor) -> None:
        """The person wants suggestions, or to go into those that are there."""

    def take(self) -> None:
        """Write the marked suggestion."""

    def move(self, steps: int) -> None:
        """Mark another."""

    def close(self) -> None:
        """Show none."""


_LEAVE_OPEN: Final = {"tab", "escape", "up", "down", "alt+c", "ctrl+@"}
"""Keys that do not close the suggestions by themselves: some are theirs."""


class PromptEditor(TextArea, inherit_bindings=False):
    """A text to be drawn. Enter is not text here: it is left to the screen's binding. Where there is a `completer`, its
    keys come first while it shows something."""

    BINDINGS = bindings("completion", "prompt", "editor")
    COMPONENT_CLASSES: ClassVar[set[str]] = {*TextArea.COMPONENT_CLASSES, *PARTS}

    class Edited(Message):
        """The text changed, by keys or otherwise."""

        def __init__(self, editor: PromptEditor) -> None:
            super().__init__()
            self.editor = editor

    def __init__(
        self, title: str, help_text: str, *, walk: History | None = None, id: str | None = None
    ) -> None:
        self._counted = (0, 1)
        self._themed = False
        self._marks = PromptMarks()
        self._starts = [0]
        self._styles: dict[str, Style] = {}
        self._read_timer: Timer | None = None
        super().__init__(
            "", id=id, tab_behavior="focus", soft_wrap=True, compact=True, highlight_cursor_line=False
        )
        self.border_title = title
        self.about = help_text
        self.walk = walk
        self.completer: Completer | None = None
        self._typing = False
        self.cursor_blink = False

    def show(self, text: str) -> None:
        """Replace the text, as an edit that can be undone, and put the cursor at its end."""
        self.replace(sanitise(text), self.document.start, self.document.end)
        self.move_cursor(self.document.end)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Take the colours from the style sheet when they change, not once a redraw as `TextArea` does."""
        if self._themed:
            return super(TextArea, self).render_lines(crop)
        self._themed = True
        return super().render_lines(crop)

    def notify_style_update(self) -> None:
        """Take up the colours of a new theme, or of having the focus."""
        self._themed = False
        self._styles = {}
        super().notify_style_update()

    def write_word(self, word: str) -> None:
        """Write a word at the cursor, in place of what is selected, parted from what stands before and behind it."""
        (row, column), end = sorted(self.selection)
        before = self.document.get_line(row)[:column][-1:]
        after = self.document.get_line(end[0])[end[1] :][:1]
        spaced = f"{' ' if before and not before.isspace() else ''}{word}"
        spaced += " " if after and (after.isalnum() or after == "<") else ""
        if result := self._replace_via_keyboard(spaced, *self.selection):
            self.move_cursor(result.end_location)

    # What is painted

    def _build_highlight_map(self) -> None:
        """Take up the grammar of the text as it is now; `TextArea` asks for it after every edit."""
        super()._build_highlight_map()
        lines = self.document.lines
        self._starts = [0, *accumulate(len(line) + 1 for line in lines)][: len(lines)]
        if self._read_timer is not None:
            self._read_timer.stop()
        if self._marks.edited("\n".join(lines), self._index(self.selection.end)):
            self._read_timer = self.set_timer(READ_DELAY, self._read_marks)
        self._write_border()

    async def _read_marks(self) -> None:
        text = "\n".join(self.document.lines)
        found = await asyncio.to_thread(spans, text)
        if text == "\n".join(self.document.lines):
            self._marks.read(text, found)
            self._repaint()
            self._write_border()

    def _repaint(self) -> None:
        self._line_cache.clear()
        self.refresh()

    def _index(self, location: Location) -> int:
        return self._starts[min(location[0], len(self._starts) - 1)] + location[1]

    def _location(self, index: int) -> Location:
        row = bisect_right(self._starts, index) - 1
        return row, index - self._starts[row]

    def _render_line(self, y: int) -> Strip:
        """A row of the screen, painted. `TextArea` lays out the whole line for each of its rows, which in a prompt of
        one long line is most of the cost of a key; it is left those with tabs."""
        rows = self.wrapped_document._offset_to_line_info
        row = y + self.scroll_offset.y
        theme = self._theme
        if theme is None or row >= len(rows) or "\t" in self.document.get_line(rows[row][0]):
            return super()._render_line(y)
        line_index, section = rows[row]
        line = self.document.get_line(line_index)
        edges = [0, *self.wrapped_document.get_offsets(line_index), len(line) + 1]
        start, end = edges[section : section + 2]
        text = Text(line[start:end].ljust(end - start), end="", no_wrap=True)
        place = self._starts[line_index] + start
        for painted in self._marks.between(place, place + end - start):
            text.stylize(self._style(painted.part), max(0, painted.start - place), painted.end - place)
        self._paint_selection(text, line_index, start, len(line))
        base = theme.base_style or self.rich_style
        strip = Strip(text.render(self.app.console), text.cell_len)
        width = self.scrollable_content_region.width
        return strip.extend_cell_length(width, base).apply_style(base)

    def _paint_selection(self, text: Text, row: int, start: int, length: int) -> None:
        """Selection and cursor in `text`: row `row` of the document, `length` letters long, from letter `start` on."""
        theme = self._theme
        first, last = sorted(self.selection)
        cursor_row, cursor = self.selection.end
        if first != last and first[0] <= row <= last[0] and theme.selection_style is not None:
            if length == 0 and row != cursor_row:
                text.plain = "▌"
                text.stylize(Style(color=theme.selection_style.bgcolor))
            else:
                begins = first[1] if row == first[0] else 0
                ends = last[1] if row == last[0] else length
                if ends > start:
                    text.stylize(theme.selection_style, max(0, begins - start), ends - start)
        match = self._matching_bracket_location
        bracketed = first == last and self.match_cursor_bracket and match is not None and self._has_cursor
        for at_row, column, style in (
            *([(*match, theme.bracket_matching_style)] if match is not None and bracketed else []),
            *([(cursor_row, cursor, theme.cursor_style)] if self._draw_cursor else []),
        ):
            if at_row == row and style is not None and 0 <= column - start < len(text):
                text.stylize(style, column - start, column - start + 1)

    def _style(self, part: str) -> Style:
        if part not in self._styles:
            self._styles[part] = self.get_component_rich_style(part, partial=True)
        return self._styles[part]

    # What the border says

    def show_tokens(self, tokens: int, chunks: int = 1, ends: Sequence[int] = ()) -> None:
        """Write the count into the border, and mark where one chunk of 75 tokens ends and another follows."""
        if self._marks.end_chunks(ends):
            self._repaint()
        self._counted = (tokens, chunks)
        self._write_border()

    def _write_border(self) -> None:
        tokens, chunks = self._counted
        number = f"{tokens} of {chunks * CHUNK}" if tokens else ""
        counted = f"{number} tokens · {chunks} chunks" if tokens and chunks > 1 else number
        opened = self._opened()
        self.set_class(bool(opened), "-open")
        wordings = [" · ".join(filter(None, (opened, one))) for one in (counted, number, "")]
        room = self.outer_size.width - _BORDER
        wording = next((one for one in wordings if len(one) <= room), "")
        if wording != self.border_subtitle:
            self.border_subtitle = wording

    def _opened(self) -> str:
        """Where a bracket stands that is never closed."""
        index = self._marks.never_closed
        if index is None:
            return ""
        row, column = self._location(index)
        return f"{self.document.get_line(row)[column : column + 1]} open at line {row + 1}, {column + 1}"

    def on_resize(self) -> None:
        """The border may have room for more, or less."""
        self._write_border()

    def action_change_weight(self, steps: int) -> None:
        """Let the words at the cursor, or what is selected, count so many tenths more."""
        start, end = sorted(map(self._index, self.selection))
        edit = change_weight("\n".join(self.document.lines), start, end, steps * WEIGHT_STEP)
        if edit is None or self.read_only:
            return
        self.history.checkpoint()
        self.replace(
            edit.new, self._location(edit.start), self._location(edit.end), maintain_selection_offset=False
        )
        self.selection = Selection(*map(self._location, edit.selection))

    def on_key(self, event: events.Key) -> None:
        """Leave Enter and what is held with Alt to the bindings; `TextArea` would make text of it."""
        if event.key == "enter" or is_alt(event):
            event.prevent_default()
        self._typing = bool(typed(event)) or event.key == "backspace"
        if self.completer is not None and not self._typing and event.key not in _LEAVE_OPEN:
            self.completer.close()

    async def on_paste(self, event: events.Paste) -> None:
        """Paste every line; control characters become visible."""
        event.prevent_default()
        event.stop()
        if result := self._replace_via_keyboard(sanitise(event.text), *self.selection):
            self.move_cursor(result.end_location)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Tell the screen in this widget's own words."""
        event.stop()
        if self.completer is not None and self._typing:
            self.completer.typed(self)
        self.post_message(self.Edited(self))

    def on_text_area_selection_changed(self, event: TextArea.SelectionChanged) -> None:
        """The cursor went elsewhere: what was suggested here is of no use there."""
        event.stop()
        if self.completer is not None and not self._typing:
            self.completer.close()

    def on_blur(self) -> None:
        """Nothing is written here any more."""
        if self.completer is not None:
            self.completer.close()

    # How a word goes on

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of the suggestions are theirs only while there are some, and the arrows only inside."""
        if not action.startswith("completion_"):
            return super().check_action(action, parameters)
        completer = self.completer
        if completer is None:
            return False
        return completer.is_entered if action == "completion_move" else completer.is_open

    def complete(self, text: str, start: Location) -> None:
        """Write `text` in place of what stands between `start` and the cursor, as one edit that can be undone."""
        if self.read_only:
            return
        self.history.checkpoint()
        result = self.replace(text, start, self.cursor_location, maintain_selection_offset=False)
        self.move_cursor(result.end_location)

    def action_complete(self) -> None:
        """Suggest how the word goes on."""
        if self.completer is not None:
            self.completer.ask(self)

    def action_completion_take(self) -> None:
        """Write the marked suggestion."""
        if self.completer is not None:
            self.completer.take()

    def action_completion_move(self, steps: int) -> None:
        """Mark another suggestion."""
        if self.completer is not None:
            self.completer.move(steps)

    def action_completion_close(self) -> None:
        """Close the suggestions."""
        if self.completer is not None:
            self.completer.close()

    def action_new_line(self) -> None:
        """Break the line at the cursor."""
        self._replace_via_keyboard("\n", *self.selection)

    def action_cursor_up(self, select: bool = False) -> None:
        """Up a line; at the first line, the prompt used before."""
        at_edge = self.wrapped_document.location_to_offset(self.cursor_location).y == 0
        if select or not at_edge or self.walk is None:
            super().action_cursor_up(select)
        elif (older := self.walk.older(self.text)) is not None:
            self.show(older)
            self.move_cursor((0, 0))

    def action_cursor_down(self, select: bool = False) -> None:
        """Down a line; at the last line, the prompt used after it."""
        wrapped = self.wrapped_document
        at_edge = wrapped.location_to_offset(self.cursor_location).y >= wrapped.height - 1
        if select or not at_edge or self.walk is None:
            super().action_cursor_down(select)
        elif (newer := self.walk.newer()) is not None:
            self.show(newer)

    def action_select_up(self) -> None:
        """Select a line up."""
        super().action_cursor_up(True)

    def action_select_down(self) -> None:
        """Select a line down."""
        super().action_cursor_down(True)
