"""Few colours that look like many: for each colour the two of a palette that mix to it, and how much of either.

The mixing is ordered: whether a pixel takes the one or the other depends on its place alone, so a picture that does
not change does not flicker. The places are those of Jimenez' interleaved gradient noise ("Next Generation
Post Processing in Call of Duty", 2014), which is even like blue noise and needs no table. Mixed is light, compared is
what is seen: pairs are weighed in linear RGB and judged in Oklab (bottosson.github.io/posts/oklab). A colour that one
entry of the palette meets well enough is not mixed at all: flat areas stay flat, and cost few bytes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BINS: Final = 32
"""Steps of a channel that are told apart; finer in the dark, where the eye is and palettes are not."""
LEVELS: Final = 64
"""How finely two colours are mixed."""

_DARKNESS: Final = 0.6
_NEAREST: Final = 6
"""Of how many entries nearest to a colour pairs are made."""
_BLOCK: Final = 4096

_RGB_TO_LMS: Final = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LMS_TO_OKLAB: Final = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def linear(rgb: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Linear light 0..1 of sRGB values 0..255."""
    import numpy as np

    value = np.asarray(rgb, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def oklab(light: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Oklab of linear RGB (…, 3)."""
    import numpy as np

    lms = np.cbrt(light @ np.array(_RGB_TO_LMS, np.float32).T)
    return lms @ np.array(_LMS_TO_OKLAB, np.float32).T


@cache
def bins() -> npt.NDArray[np.uint16]:
    """The bin of each of the 256 values of a channel."""
    import numpy as np

    return np.round((np.arange(256) / 255) ** _DARKNESS * (BINS - 1)).astype(np.uint16)


def lattice() -> npt.NDArray[np.float32]:
    """The sRGB colours (BINS**3, 3) that the bins stand for, red outermost."""
    import numpy as np

    axis = (np.arange(BINS) / (BINS - 1)) ** (1 / _DARKNESS) * 255
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)


def mixtures(palette: npt.NDArray[Any], roughness: float) -> npt.NDArray[np.uint16]:
    """(BINS**3, 3): for each colour of the lattice the first entry of `palette` (n, 3), the second, and of LEVELS how
    many parts the second has. `roughness` says how much the two may differ for what is won by mixing."""
    import numpy as np

    light = linear(palette)
    seen = oklab(light)
    wanted_light = linear(lattice())
    wanted = oklab(wanted_light)
    first, second = np.triu_indices(min(_NEAREST, len(palette)))
    parts = [
        _best_pairs(wanted[start : start + _BLOCK], wanted_light[start : start + _BLOCK], seen, light,
                    (first, second), roughness)
        for start in range(0, len(wanted), _BLOCK)
    ]  # fmt: skip
    return np.concatenate(parts)


def _best_pairs(
    wanted: npt.NDArray[np.float32],
    wanted_light: npt.NDArray[np.float32],
    seen: npt.NDArray[np.float32],
    light: npt.NDArray[np.float32],
    pairs: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    roughness: float,
) -> npt.NDArray[np.uint16]:
    import numpy as np

    count = int(pairs[1].max()) + 1
    # |p - q|^2 without its |p|^2, which is the same for every q
    near = np.argpartition((seen**2).sum(-1) - 2 * wanted @ seen.T, count - 1, axis=1)[:, :count]
    one, other = near[:, pairs[0]], near[:, pairs[1]]
    begin, way = light[one], light[other] - light[one]
    length = (way**2).sum(-1)
    share = ((wanted_light[:, None] - begin) * way).sum(-1) / np.maximum(length, 1e-12)
    share = np.round(np.clip(share, 0, 1) * LEVELS) / LEVELS
    error = ((oklab(begin + share[..., None] * way) - wanted[:, None]) ** 2).sum(-1)
    coarse = share * (1 - share) * ((seen[one] - seen[other]) ** 2).sum(-1)
    best = (error + roughness * coarse).argmin(1)
    rows = np.arange(len(best))
    parts = (share[rows, best] * LEVELS).astype(np.uint16)
    return np.stack([one[rows, best].astype(np.uint16), other[rows, best].astype(np.uint16), parts], -1)


@cache
def thresholds(height: int, width: int) -> npt.NDArray[np.uint8]:
    """For each place a number below LEVELS: the second entry is taken where its share is larger."""
    import numpy as np

    y, x = np.mgrid[:height, :width]
    noise = np.modf(52.9829189 * np.modf(0.06711056 * x + 0.00583715 * y)[0])[0]
    return (noise * LEVELS).astype(np.uint8)
