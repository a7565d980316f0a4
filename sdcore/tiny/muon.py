"""The Muon optimiser for convolutions, with Adam for what is no matrix.

Muon (https://kellerjordan.github.io/posts/muon) replaces a matrix's momentum by the nearest orthogonal matrix, so
that every direction moves alike. A convolution counts as the matrix (out, in * height * width); torch.optim.Muon takes
plain matrices only. Updates have Adam's usual size (arXiv:2502.16982), so both halves share a learning rate.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
ADAM_SIZE = 0.2
SMALLEST_SIDE = 9


class Muon(torch.optim.Optimizer):
    """Muon for the weights whose matrices have no side under SMALLEST_SIDE, Adam for the rest; frozen ones stay."""

    def __init__(self, module: nn.Module, momentum: float = 0.95, betas: tuple[float, float] = (0.9, 0.99)):
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        matrices = [parameter for parameter in trained if _is_matrix(parameter)]
        others = [parameter for parameter in trained if not _is_matrix(parameter)]
        groups = [{"params": matrices, "orthogonal": True}, {"params": others, "orthogonal": False}]
        super().__init__(groups, {"lr": 0.0, "momentum": momentum, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            update = self._orthogonal_update if group["orthogonal"] else self._adam_update
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(update(parameter, parameter.grad, group), alpha=group["lr"])

    def _orthogonal_update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]
    ) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1.0 - group["momentum"])
        matrix = gradient.lerp(momentum, group["momentum"]).flatten(1)
        return (orthogonal(matrix) * ADAM_SIZE * max(matrix.shape) ** 0.5).reshape(parameter.shape)

    def _adam_update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]
    ) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(gradient, 1.0 - first)
        state["square"].lerp_(gradient.square(), 1.0 - second)
        mean = state["mean"] / (1.0 - first ** state["step"])
        return mean / ((state["square"] / (1.0 - second ** state["step"])).sqrt() + 1e-8)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Roughly U V^T for the matrix U S V^T: singular values between about 0.7 and 1.2, by Newton-Schulz iteration."""
    a, b, c = NEWTON_SCHULZ
    result = matrix / (matrix.norm() + 1e-7)
    tall = result.shape[0] > result.shape[1]
    if tall:
        result = result.T
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = result @ result.T
        result = a * result + (b * gram + c * gram @ gram) @ result
    return result.T if tall else result


def _is_matrix(parameter: torch.Tensor) -> bool:
    return parameter.ndim > 1 and min(parameter.flatten(1).shape) >= SMALLEST_SIDE
