"""Work for a worker, of which nothing is left over when other work takes its place before it began."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

_P = ParamSpec("_P")


def once_begun(
    work: Callable[_P, Coroutine[Any, Any, Any]], *arguments: _P.args, **options: _P.kwargs
) -> Any:
    """`work` for `run_worker`, called when the worker begins: of those that come at once all but the last never are.

    It is an Any since Textual's own type of a worker's work fits no coroutine function.
    """

    @wraps(work)
    async def begun() -> None:
        await work(*arguments, **options)

    return begun
