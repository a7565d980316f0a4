"""Which images are marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


class Marks:
    """Images by their ids. While a range is open, everything between its anchor and the cursor is marked as well."""

    def __init__(self) -> None:
        self._marked: set[int] = set()
        self._before: frozenset[int] = frozenset()
        self._anchor: int | None = None

    def __len__(self) -> int:
        return len(self._marked)

    def __contains__(self, image: object) -> bool:
        return image in self._marked

    def __iter__(self) -> Iterator[int]:
        return iter(self._marked)

    @property
    def in_range(self) -> bool:
        """Whether a range is open."""
        return self._anchor is not None

    def toggle(self, image: int) -> None:
        """Mark an image, or take the mark away."""
        self._marked ^= {image}

    def begin(self, image: int) -> None:
        """Open a range at an image."""
        self._anchor, self._before = image, frozenset(self._marked)
        self._marked.add(image)

    def reach(self, ids: Sequence[int], place: int) -> None:
        """The range goes from its anchor to `place` of `ids` now. One whose anchor is gone is closed."""
        if self._anchor is None:
            return
        try:
            start = ids.index(self._anchor)
        except ValueError:
            self.end()
            return
        low, high = sorted((start, place))
        self._marked = {*self._before, *ids[low : high + 1]}

    def end(self) -> None:
        """Close the range; what it marked stays so."""
        self._anchor = None

    def set(self, images: Iterable[int]) -> None:
        """Mark these and no others."""
        self._marked = set(images)
        self.end()

    def keep(self, ids: Iterable[int]) -> None:
        """Forget the marks of all images but these."""
        if self._marked:
            self._marked.intersection_update(ids)


class Marking:
    """The marks of images by the places that they had when they were found: `ids` may learn some later."""

    def __init__(self, ids: Sequence[int], marks: Marks) -> None:
        self._ids = ids
        self._marks = marks

    def is_marked(self, place: int) -> bool:
        """Whether the image is marked."""
        return self._ids[place] in self._marks

    def toggle(self, place: int) -> None:
        """Mark it, or take the mark away; nothing while it is not known which it is."""
        if self._ids[place]:
            self._marks.end()
            self._marks.toggle(self._ids[place])
