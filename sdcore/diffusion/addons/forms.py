"""The forms in which files say what is added to a weight, as one table: which tensors, and what their product is.

Sources: Hu et al., arXiv 2106.09685 (LoRA); Hyeon-Woo et al., arXiv 2108.06098 (LoHa); Edalati et al., arXiv 2212.10650
(LoKr); their tensors are named and laid out as by LyCORIS (`lycoris/modules`), kohya's and peft's trainers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Form:
    """One form. Its tensors are known by their roles: those of one of the sets in `needed` are there.

    `shape` is the product's, all of it or (rows, all the rest), None where the tensors do not go together; `rank`
    divides alpha, 0 where no alpha counts.
    """

    name: str
    needed: tuple[frozenset[str], ...]
    shape: Callable[[Shapes], Shape | None]
    rank: Callable[[Shapes], int]
    product: Callable[[Tensors], Tensor]

    def has(self, roles: Collection[str]) -> bool:
        """Whether these roles make one layer of this form."""
        return any(needed <= set(roles) for needed in self.needed)


def _lora_shape(of: Shapes) -> Shape | None:
    down, up, mid = of["down"], of["up"], of.get("mid")
    if len(down) < 2 or len(up) != len(down) or not down[0] or math.prod(up) != up[0] * down[0]:
        return None
    if mid is not None and (mid[:2] != (up[1], down[0]) or len(mid) != 4 or down[2:] != (1, 1)):
        return None
    return (up[0], down[1], *(mid or down)[2:])


def _lora(of: Tensors) -> Tensor:
    """`up` (out, r[, 1, 1]) @ `down` (r, in[, kh, kw]); around a `mid` (r, r, kh, kw), `down` is (r, in, 1, 1)."""
    down, up = of["down"].flatten(1), of["up"].flatten(1)
    if "mid" in of:
        return torch.einsum("or,rshw,si->oihw", up, of["mid"], down)
    return up @ down


def _pair_shape(a: Shape, b: Shape, core: Shape | None) -> Shape | None:
    """The shape of a @ b: (m, r) and (r, n); around a core (r, r, kh, kw) a is (r, m)."""
    if len(a) != 2 or len(b) != 2 or 0 in (*a, *b):
        return None
    if core is None:
        return (a[0], b[1]) if a[1] == b[0] else None
    fits = len(core) == 4 and core[:2] == (a[0], b[0])
    return (a[1], b[1], *core[2:]) if fits else None


def _pair(a: Tensor, b: Tensor, core: Tensor | None) -> Tensor:
    return a @ b if core is None else torch.einsum("ijkl,jr,ip->prkl", core, b, a)


def _loha_shape(of: Shapes) -> Shape | None:
    first, second = (_pair_shape(of[f"w{n}_a"], of[f"w{n}_b"], of.get(f"t{n}")) for n in (1, 2))
    return first if first == second else None


def _loha(of: Tensors) -> Tensor:
    """The products of two pairs, multiplied number by number."""
    first, second = (_pair(of[f"w{n}_a"], of[f"w{n}_b"], of.get(f"t{n}")) for n in (1, 2))
    return first * second


def _lokr_shape(of: Shapes) -> Shape | None:
    first = of.get("k1") or _pair_shape(of["k1_a"], of["k1_b"], None)
    second = of.get("k2") or _pair_shape(of["k2_a"], of["k2_b"], of.get("kt2"))
    if first is None or second is None or len(first) != 2 or len(second) not in (2, 4):
        return None
    return (first[0] * second[0], first[1] * second[1], *second[2:])


def _lokr(of: Tensors) -> Tensor:
    """The Kronecker product of two matrices, each whole or a pair."""
    first = of["k1"] if "k1" in of else _pair(of["k1_a"], of["k1_b"], None)
    second = of["k2"] if "k2" in of else _pair(of["k2_a"], of["k2_b"], of.get("kt2"))
    return torch.kron(first.view(*first.shape, *[1] * (second.ndim - 2)), second.contiguous())


def _lokr_rank(of: Shapes) -> int:
    return next((of[name][0] for name in ("k1_b", "k2_b") if name in of), 0)


FORMS: Final = (
    Form("LoRA", (frozenset({"down", "up"}),), _lora_shape, lambda of: of["down"][0], _lora),
    Form(
        "LoHa", (frozenset({"w1_a", "w1_b", "w2_a", "w2_b"}),), _loha_shape, lambda of: of["w1_b"][0], _loha
    ),
    Form(
        "LoKr",
        tuple(
            first | second
            for first in (frozenset({"k1"}), frozenset({"k1_a", "k1_b"}))
            for second in (frozenset({"k2"}), frozenset({"k2_a", "k2_b"}))
        ),
        _lokr_shape,
        _lokr_rank,
        _lokr,
    ),
)
"""Every form that is read."""


def axis_of(magnitude: Shape, weight: Shape) -> int:
    """Which axis of a weight (out, in, ...) the magnitudes of a DoRA file belong to.

    They are (out), (out, 1, ...) or, as LyCORIS wrote at first, (1, in, ...). Raises `ValueError`.
    """
    count = math.prod(magnitude)
    if magnitude and magnitude[0] == count == weight[0]:
        return 0
    if len(magnitude) > 1 and magnitude[1] == count == weight[1]:
        return 1
    raise ValueError("the magnitudes of a layer do not fit it")


def drawn_to(magnitude: Tensor, weight: Tensor, axis: int) -> Tensor:
    """A weight whose rows, or columns, have the lengths that `magnitude` says (DoRA: Liu et al., arXiv 2402.09353)."""
    others = [other for other in range(weight.ndim) if other != axis]
    shape = [-1 if at == axis else 1 for at in range(weight.ndim)]
    return weight * (magnitude.reshape(shape) / torch.linalg.vector_norm(weight, dim=others, keepdim=True))
