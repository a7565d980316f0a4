"""The prompt's grammar in its editor: colours, chunk borders, open brackets, and weights by keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from rich.style import Style
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import TextArea
from textual.widgets.text_area import Selection

from sdcore.spec.prompt_marks import spans
from tests.ui.conftest import MakeApp, settle, until
from tests.ui.fake_engine import FakeEngine
from tui.drafts import Draft
from tui.screens.lists.chooser import Chooser
from tui.theme import ALERT, DIM, LINE, NORMAL, THEME, WARM, WARMER
from tui.widgets.prompt import PromptEditor
from tui.widgets.prompt_marks import AT_ONCE, PARTS, PromptMarks

SIZE = (120, 40)
Compare = Callable[..., bool]


class Alone(App[None]):
    """An editor by itself, of 40 columns and 8 rows."""

    CSS_PATH = "../../tui/sdtui.tcss"

    def __init__(self, text: str) -> None:
        super().__init__()
        self.register_theme(THEME)
        self.theme = THEME.name
        self.text = text

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The variables of the style sheet, before the theme is there."""
        return dict(THEME.variables)

    def compose(self) -> ComposeResult:
        """The editor."""
        editor = PromptEditor("prompt", "", id="alone")
        editor.styles.width, editor.styles.height = 40, 8
        yield editor

    def on_mount(self) -> None:
        """The text, with the cursor at its end."""
        self.editor.load_text(self.text)
        self.editor.move_cursor(self.editor.document.end)
        self.editor.focus()

    @property
    def editor(self) -> PromptEditor:
        """The editor."""
        return self.query_one(PromptEditor)


@asynccontextmanager
async def editing(text: str) -> AsyncIterator[tuple[PromptEditor, Pilot[None]]]:
    """An editor with a text, the cursor at its end."""
    app = Alone(text)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        yield app.editor, pilot


def letters(editor: PromptEditor) -> list[tuple[str, Style]]:
    """Every letter on the screen with its style, row by row."""
    rows = [editor.render_line(y) for y in range(editor.size.height)]
    return [(letter, segment.style or Style()) for row in rows for segment in row for letter in segment.text]


def painted(editor: PromptEditor, what: str) -> set[str]:
    """The colours of the letters of `what`, which is on the screen."""
    shown = letters(editor)
    at = "".join(letter for letter, _ in shown).index(what)
    return {style.color.name for _, style in shown[at : at + len(what)] if style.color}


def accent(editor: PromptEditor) -> str:
    """The accent as Textual makes it of the theme's: a hair off."""
    return editor.app.theme_variables["accent"].lower()


async def test_each_part_of_the_grammar_has_its_colour() -> None:
    text = "one (two) (six:1.3)\n(ten:1.9) [low] (dim:0.5)\n[be:go:3] [k|y] \\( <lora:z>\nBREAK AND a)"
    async with editing(text) as (editor, _):
        plain = painted(editor, "one")
        colours = {
            "(two)": WARM, "(six:1.3)": WARMER, "(ten:1.9)": accent(editor), "[low]": NORMAL, "(dim:0.5)": DIM,
            "<lora:z>": NORMAL, "BREAK": accent(editor), "AND": accent(editor), ")": ALERT, ":3]": DIM, "|": DIM,
            "\\(": DIM,
        }  # fmt: skip
        for what, colour in colours.items():
            place = "a)" if what == ")" else what
            assert painted(editor, place) >= {colour}, what
            assert what == ")" or painted(editor, what) == {colour}, what
        assert painted(editor, "be") == painted(editor, "k") == painted(editor, "go") == plain


async def test_every_kind_of_span_has_a_class_of_its_own_colour() -> None:
    async with editing("") as (editor, _):
        plain = editor.rich_style
        for part in PARTS:
            assert editor.get_component_rich_style(part) != plain, part


async def test_colours_follow_every_key() -> None:
    async with editing("a (cat") as (editor, pilot):
        assert painted(editor, "cat") == {(WARM, None)} or painted(editor, "cat") == {WARM}
        await pilot.press(*":1.5)")
        assert painted(editor, "cat") == {accent(editor)}
        await pilot.press("backspace")
        assert painted(editor, "cat") == {WARM}
        await pilot.press("ctrl+z", "ctrl+z")
        assert editor.text == "a (cat"


async def test_an_open_bracket_is_shown_and_said() -> None:
    async with editing("first line\na (cat and [a dog]") as (editor, pilot):
        assert editor.has_class("-open")
        assert str(editor.border_subtitle) == "( open at line 2, 3"
        at = "".join(letter for letter, _ in letters(editor)).index("(")
        background = letters(editor)[at][1].bgcolor
        assert background is not None
        assert background.name == ALERT
        editor.show_tokens(82, 2)
        assert str(editor.border_subtitle) == "( open at line 2, 3 · 82 of 150"
        await pilot.press(")")
        assert not editor.has_class("-open")
        assert str(editor.border_subtitle) == "82 of 150 tokens · 2 chunks"
        await pilot.press("home", *["delete"] * 7)
        assert editor.text == "first line\nand [a dog])"
        assert not editor.has_class("-open")
        await pilot.press("backspace", "[", "/")
        assert str(editor.border_subtitle) == "[ open at line 1, 11 · 82 of 150"
        await pilot.pause()
        assert "[ open at line 1, 11 · 82 of 150" in _screen(editor)


async def test_a_count_that_has_no_room_is_said_in_fewer_words() -> None:
    async with editing("") as (editor, pilot):
        for width, said in ((40, "20716 of 20775 tokens · 277 chunks"), (39, "20716 of 20775")):
            editor.styles.width = width
            await pilot.pause()
            editor.show_tokens(20716, 277)
            await pilot.pause()
            assert f" {said} ─╯" in _screen(editor)


def _screen(editor: PromptEditor) -> str:
    return "\n".join(
        "".join(segment.text for segment in row) for row in editor.app.screen._compositor.render_strips()
    )


async def test_chunk_ends_are_shaded_and_move_along() -> None:
    def shaded(editor: PromptEditor) -> list[int]:
        return [
            at
            for at, (_, style) in enumerate(letters(editor))
            if style.bgcolor and style.bgcolor.name == LINE
        ]

    async with editing("one two three") as (editor, pilot):
        editor.show_tokens(76, 2, (7,))
        assert shaded(editor) == [7]
        await pilot.press("home", "x", "y")
        assert shaded(editor) == [9]
        editor.show_tokens(76, 1, ())
        assert shaded(editor) == []


LONG = "a red house by the sea and a lighthouse on the rock\nwith gulls, " + "word " * 30 + "\n\nend"
WIDE = "日本 の家 and 🏠 " * 9 + "\na\nb"


@pytest.mark.parametrize(
    "selection", [Selection((0, 3), (0, 3)), Selection((0, 9), (1, 4)), Selection((2, 0), (0, 1))]
)
@pytest.mark.parametrize("text", [LONG, WIDE], ids=["long", "wide"])
async def test_rows_look_as_the_text_area_draws_them(text: str, selection: Selection) -> None:
    """What is painted apart, our rows are Textual's own, with wrapping, wide letters, cursor and selection."""
    async with editing(text) as (editor, pilot):
        editor.selection = selection
        await pilot.pause()
        for y in range(editor.size.height):
            ours, theirs = editor._render_line(y), TextArea._render_line(editor, y)
            assert ours.text == theirs.text
            assert _cells(ours) == _cells(theirs)


def _cells(strip: object) -> list[tuple[str, Style | None]]:
    return [(letter, segment.style) for segment in strip for letter in segment.text]  # type: ignore[attr-defined]


async def test_a_line_with_tabs_is_drawn() -> None:
    async with editing("a\t(b) c") as (editor, _):
        assert "".join(letter for letter, _ in letters(editor)).startswith("a   (b) c")


async def test_ctrl_up_and_down_weigh_the_word_at_the_cursor() -> None:
    async with editing("a red\ncat") as (editor, pilot):
        await pilot.press("ctrl+up")
        assert editor.text == "a red\n(cat:1.1)"
        assert editor.cursor_location == (1, 4)
        await pilot.press("ctrl+up", "ctrl+up", "ctrl+down")
        assert editor.text == "a red\n(cat:1.2)"
        await pilot.press("ctrl+down", "ctrl+down")
        assert editor.text == "a red\ncat"
        await pilot.press("ctrl+z")
        assert editor.text == "a red\n(cat:1.1)"
        await pilot.press("ctrl+y", "f7", "ctrl+down")
        assert editor.text == "(a red\ncat:0.9)"
        assert editor.selected_text == "a red\ncat"
        editor.load_text("")
        await pilot.press("ctrl+up")
        assert editor.text == ""


async def test_a_very_long_prompt_is_painted_when_the_keys_rest() -> None:
    long = "word " * (AT_ONCE // 5) + "(cat) dog"
    async with editing(long) as (editor, pilot):
        await until(lambda: painted(editor, "(cat)") == {WARM})
        await pilot.press("home", "pageup", *["ctrl+left"] * 2)
        await pilot.press("(")
        await until(lambda: editor._marks.never_closed is not None)


def test_marks_move_along_with_an_edit_of_a_long_text() -> None:
    marks = PromptMarks()
    text = "word " * 1000 + "(cat) [a:b:3] dog"
    marks.read(text, spans(text))
    marks.end_chunks([5, 4_000])

    def seen(text: str) -> list[str]:
        return [text[one.start : one.end] for one in marks.between(4_500, len(text))]

    before = seen(text)
    assert before == ["(cat)", "[", ":", ":3]"]
    longer = text[:100] + "xyz" + text[100:]
    assert marks.edited(longer, 103)
    assert seen(longer) == before
    assert [one.start for one in marks.between(0, 4_500)] == [5, 4_003]
    shorter = longer[:100] + longer[103:]
    assert marks.edited(shorter, 100)
    assert seen(shorter) == before
    within = shorter.replace("(cat)", "(caat)")
    assert marks.edited(within, within.index("(caat)") + 4)
    assert seen(within)[0] == "(caat)"
    marks.read(within, spans(within))
    assert seen(within) == ["(caat)", "[", ":", ":3]"]
    assert marks.never_closed is None
    assert len(spans(within)) == 4


async def test_the_studio_marks_chunks_as_the_tokenizer_counts_them(
    make_app: MakeApp, engine: FakeEngine
) -> None:
    app = make_app(draft=Draft(prompt="a red house by a tree, " * 15))
    async with app.run_test(size=SIZE) as pilot:
        await settle(app, pilot)
        editor = app.studio.prompt
        assert str(editor.border_subtitle) == "120 of 150 tokens · 2 chunks"
        ends = [one for one in editor._marks.between(0, 5000) if one.part == "prompt--chunk"]
        assert len(ends) == 1
        assert editor.text[ends[0].start - 1] == ","


def test_a_prompt_in_all_its_colours(snap_compare: Compare) -> None:
    app = Alone(
        "(masterpiece:1.5), (golden light:1.2), (small) japanese house, [people], (fog:0.5), [spring:autumn:0.4] "
        "garden, a [red|blue] roof <lora:ink:0.8> BREAK lanterns \\(paper\\), (an open bracket AND snow:0.6"
    )

    async def run(pilot: Pilot[None]) -> None:
        app.editor.show_tokens(96, 2, (115,))
        await pilot.pause()

    assert snap_compare(app, terminal_size=(44, 9), run_before=run)


async def test_a_letter_held_with_alt_is_a_command_and_no_text(make_app: MakeApp, engine: FakeEngine) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        engine.ready()
        await settle(app, pilot)
        before = app.studio.prompt.text
        # As a terminal sends it: the escape tells Alt, and the letter comes along.
        app.post_message(events.Key("alt+l", "l"))
        await pilot.pause()
        await settle(app, pilot)
        assert isinstance(app.screen, Chooser)
        assert app.studio.prompt.text == before
