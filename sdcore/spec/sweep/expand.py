"""A recipe and up to three axes become a grid of recipes, each checked before the first is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Final, Literal

import msgspec

from sdcore.spec.families import FAMILIES
from sdcore.spec.recipe import Problem, Recipe, acting, check, find_problems
from sdcore.spec.suiting import find_unsuited
from sdcore.spec.sweep import prompts
from sdcore.spec.sweep.axes import BY_NAME, Axis, Context, Value
from sdcore.spec.sweep.drawing import DrawingError, draw
from sdcore.spec.sweep.typed import Template
from sdcore.spec.sweep.values import ValuesError

MAX_CELLS: Final = 1000
LETTERS: Final = "xyz"
MATRIX: Final = "matrix"
COMBINATIONS: Final = "combinations"

Seeds = Literal["same", "each"]
"""Whether all cells have the recipe's seed, or each the next one."""


class Line(msgspec.Struct, frozen=True):
    """An axis as a person sets it: the name of one of `AXES`, "" for none, and what was typed as its values."""

    name: str = ""
    values: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a recipe is to be varied: the lines of x, y and z, whether the bars of its prompt are a matrix, the seeds."""

    lines: tuple[Line, Line, Line] = (Line(), Line(), Line())
    matrix: bool = False
    seeds: Seeds = "same"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the grid (0-based) and the recipe of it, with the template that its prompts were drawn from. With a
    `problem` it cannot be made."""

    x: int
    y: int
    z: int
    recipe: Recipe
    template: Template | None = None
    problem: str = ""


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """A grid: the names of its axes ("" where there is none), the labels along each (one at least), its cells in the
    order of reading, and what a person should know of it, in sentences."""

    names: tuple[str, str, str]
    labels: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()

    @property
    def able(self) -> list[Cell]:
        """The cells that can be made."""
        return [cell for cell in self.cells if not cell.problem]

    def label(self, cell: Cell) -> str:
        """What a cell is called: its values along the axes that there are."""
        places = zip(self.names, self.labels, (cell.x, cell.y, cell.z), strict=True)
        return " · ".join(labels[place] for name, labels, place in places if name)


class SweepError(ValueError):
    """A sweep cannot be made; the message is one sentence. `axis` is 0 to 2 where one of the lines is at fault."""

    def __init__(self, message: str, axis: int | None = None) -> None:
        super().__init__(message)
        self.axis = axis


class _Read(msgspec.Struct, frozen=True):
    """An axis that was read. `rank` is the order in which they are applied to a recipe."""

    name: str
    values: tuple[Value, ...]
    fields: tuple[str, ...] = ()
    rank: int = 0


_NONE: Final = _Read("", (Value("", lambda recipe: recipe),))


def expand(plan: Plan, context: Context) -> Sweep:
    """The grid that `plan` makes of the context's recipe. Raises `SweepError`."""
    read = [_read(line, place, context) for place, line in enumerate(plan.lines)]
    _refuse_twice(read)
    base = context.recipe
    if plan.matrix:
        base, read = _with_matrix(base, read)
    count = _product(len(one.values) for one in read)
    if count > MAX_CELLS:
        raise SweepError(f"These are {count:,} images; at most {MAX_CELLS:,} are made in one sweep.")
    if count == 1 and not any(one.name for one in read):
        raise SweepError("Choose what to go along: at least one axis, or the matrix of the prompt's bars.")
    cells = [_cell(place, base, read, plan, context) for place in _places(read)]
    _blame(cells, read)
    cells_of = tuple(cell for cell, _, _ in cells)
    x, y, z = read
    return Sweep(
        names=(x.name, y.name, z.name),
        labels=(_labels(x), _labels(y), _labels(z)),
        cells=cells_of,
        notes=tuple(_notes(cells, read, context)),
    )


def in_order(sweep: Sweep) -> list[Cell]:
    """The cells that can be made as they are best made one after another: all of a model before the next."""
    models = list(dict.fromkeys((cell.recipe.model, cell.recipe.vae) for cell in sweep.cells))
    return sorted(sweep.able, key=lambda cell: (models.index((cell.recipe.model, cell.recipe.vae)), cell.z))


# -- the axes ------------------------------------------------------------------------------------------------------


def _read(line: Line, place: int, context: Context) -> _Read:
    if not line.name:
        return _NONE
    axis = BY_NAME.get(line.name)
    if axis is None:
        raise SweepError(f"There is nothing called {line.name[:40]!r} to go along.", place)
    title = _title(axis.name)
    try:
        values = axis.read(line.values, context)
    except ValuesError as fault:
        raise SweepError(f"{title}: {fault}.", place) from fault
    except DrawingError as fault:
        raise SweepError(str(fault), place) from fault
    if not values:
        raise SweepError(f"{title}: type its values, for example {axis.example}.", place)
    return _Read(axis.name, tuple(values), axis.fields, _rank(axis))


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


def _rank(axis: Axis) -> int:
    return 2 if axis.words else 0


def _refuse_twice(read: Sequence[_Read]) -> None:
    seen: dict[str, int] = {}
    for place, one in enumerate(read):
        for field in one.fields:
            if field in seen:
                both = f"{LETTERS[seen[field]]} and {LETTERS[place]}"
                raise SweepError(f"{both} both set the {field.replace('_', ' ')}; change one of them.", place)
            seen[field] = place


def _with_matrix(base: Recipe, read: Sequence[_Read]) -> tuple[Recipe, list[_Read]]:
    """The recipe without its options, and the axes with those in the places that are free: in two of them half each."""
    first, *options = prompts.matrix_parts(base.prompt)
    if not options:
        raise SweepError("A matrix needs bars in the prompt: a house | at night | in the rain.")
    if len(options) > prompts.MAX_OPTIONS:
        raise SweepError(f"A matrix has at most {prompts.MAX_OPTIONS} options, not {len(options)}.")
    free = [place for place, one in enumerate(read) if not one.name][:2]
    if not free:
        raise SweepError("A matrix needs an axis that is free; clear one of the three.")
    half = -(-len(options) // 2) if len(free) > 1 else len(options)
    found = list(read)
    for place, lot in zip(free, (options[:half], options[half:]), strict=False):
        if lot:
            found[place] = _Read(MATRIX, tuple(map(_choice, prompts.choices_of(lot))), rank=1)
    return msgspec.structs.replace(base, prompt=first), found


def _choice(options: tuple[str, ...]) -> Value:
    return Value(" + ".join(options) or "—", lambda recipe: prompts.with_options(recipe, options))


def _labels(axis: _Read) -> tuple[str, ...]:
    return tuple(value.label for value in axis.values)


# -- the cells -----------------------------------------------------------------------------------------------------


_Made = tuple[Cell, Problem | None, tuple[str, ...]]
"""A cell, why it cannot be made, and the wildcards that it names and nobody has."""


def _places(read: Sequence[_Read]) -> Iterable[tuple[int, int, int]]:
    """(x, y, z) in the order of reading: row after row, page after page."""
    x, y, z = (range(len(one.values)) for one in read)
    return ((column, row, page) for page, row, column in product(z, y, x))


def _product(sizes: Iterable[int]) -> int:
    count = 1
    for size in sizes:
        count *= size
    return count


def _cell(
    place: tuple[int, int, int], base: Recipe, read: Sequence[_Read], plan: Plan, context: Context
) -> _Made:
    recipe = base
    if plan.seeds == "each":
        x, y, z = place
        columns, rows = len(read[0].values), len(read[1].values)
        index = (z * rows + y) * columns + x
        recipe = msgspec.structs.replace(recipe, seed=recipe.seed + index * recipe.batch_size)
    for at, axis in sorted(enumerate(read), key=lambda one: one[1].rank):
        recipe = axis.values[place[at]].apply(recipe)
    try:
        drawn = draw(recipe, context.words)
    except DrawingError as fault:
        raise SweepError(str(fault)) from fault
    recipe, template = drawn.recipe, drawn.template
    if template is None and any(axis.name == COMBINATIONS for axis in read):
        template = Template(prompt=base.prompt, negative_prompt=base.negative_prompt)
    problem = _problem(recipe, context)
    x, y, z = place
    cell = Cell(
        x=x, y=y, z=z, recipe=recipe if problem else check(recipe), template=template,
        problem=problem.message if problem else "",
    )  # fmt: skip
    return cell, problem, drawn.unknown


def _problem(recipe: Recipe, context: Context) -> Problem | None:
    problems = find_problems(recipe)
    family = context.models.get(recipe.model, "")
    if not problems and any(one.name == family for one in FAMILIES):
        problems = find_unsuited(recipe, family)
    return problems[0] if problems else None


def _blame(cells: Sequence[_Made], read: Sequence[_Read]) -> None:
    """Raise `SweepError` for a value with which nothing can be made, and where nothing can be made at all."""
    for at, axis in enumerate(read):
        for index in range(len(axis.values)):
            problems = [problem for cell, problem, _ in cells if (cell.x, cell.y, cell.z)[at] == index]
            first = problems[0]
            if first is not None and first.field in axis.fields and None not in problems:
                raise SweepError(first.message, at)
    if all(problem for _, problem, _ in cells):
        raise SweepError(cells[0][0].problem)


def _notes(cells: Sequence[_Made], read: Sequence[_Read], context: Context) -> Iterable[str]:
    impossible = [cell for cell, _, _ in cells if cell.problem]
    if impossible:
        yield f"{len(impossible)} of {len(cells)} cannot be made: {impossible[0].problem}"
    found = {(cell.x, cell.y, cell.z): acting(cell.recipe) for cell, _, _ in cells}
    for at, axis in enumerate(read):
        if axis.name == COMBINATIONS and len(axis.values) == 1:
            yield "The prompt holds no choices like {red|blue} that could be combined."
        if len(axis.values) > 1 and _changes_nothing(found, at, seeds="seed" in axis.fields):
            yield f"{_title(axis.name)} changes nothing here: all its images will be the same."
    for name in dict.fromkeys(name for _, _, unknown in cells for name in unknown):
        yield f"There is no wildcard file called {name}; __{name}__ stays as it is."


def _changes_nothing(found: dict[tuple[int, int, int], Recipe], at: int, *, seeds: bool) -> bool:
    def same(one: Recipe, other: Recipe) -> bool:
        return one == other or (not seeds and msgspec.structs.replace(one, seed=other.seed) == other)

    def first(x: int, y: int, z: int) -> tuple[int, int, int]:
        return (0 if at == 0 else x), (0 if at == 1 else y), (0 if at == 2 else z)

    return all(same(recipe, found[first(*place)]) for place, recipe in found.items())
