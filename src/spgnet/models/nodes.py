"""Batch norm for nodes and frames, whose features are the last dimension."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class Norm(nn.BatchNorm1d):
    """Batch norm of the last dimension over all that comes before it."""

    def forward(self, input: Float[Tensor, "*nodes features"]) -> Float[Tensor, "*nodes features"]:
        """Normalise every feature."""
        return super().forward(input.reshape(-1, input.shape[-1])).view(input.shape)
