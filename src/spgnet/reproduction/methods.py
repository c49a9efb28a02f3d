"""The methods of the paper's tables: those that run here, and why the others are only quoted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from spgnet.data.config import DataConfig
from spgnet.models import AttentionConfig, MartinezConfig, ModelConfig, SPGNetConfig, STGCNConfig
from spgnet.training.recipes import BASELINE_LOSS, RECIPES, TrainConfig

Size = Literal["paper", "small"]


@dataclass(frozen=True)
class Method:
    """A method that runs here.

    Args:
        name: in our tables.
        paper_column: its column in the paper's tables, if it has one.
        paper: its recipe at its published size.
        small: a recipe for a CPU, with about the same time for a step for all methods.
    """

    name: str
    paper_column: str | None
    paper: TrainConfig
    small: TrainConfig

    def recipe(self, size: Size) -> TrainConfig:
        """The recipe at a size."""
        return self.paper if size == "paper" else self.small


_PAPER, _SMALL = RECIPES["paper-243"], RECIPES["small-27"]
_KINEMATIC_LOSS = replace(BASELINE_LOSS, kinematic=_PAPER.loss.kinematic)


def _baseline(model: ModelConfig, like: TrainConfig) -> TrainConfig:
    """A recipe with another network and the Baseline's loss: pose and trajectory alone."""
    return replace(like, model=model, loss=BASELINE_LOSS)


def _spgnet(widths: int) -> Method:
    """SPGNet with J = 3^widths; small ones have 128 channels, so that J = 243 can be trained on a CPU."""
    model = SPGNetConfig((3,) * widths)
    small = replace(model, channels=128, trajectory_channels=64)
    return Method(
        f"SPGNet, J = {3**widths}", None, replace(_PAPER, model=model), replace(_SMALL, model=small)
    )


def _partly_labelled(name: str, share: float, *, unlabelled: bool) -> Method:
    """SPGNet with 3D labels for a share of the training data, with or without the 2D of the rest."""

    def with_share(recipe: TrainConfig) -> TrainConfig:
        weights = (
            recipe.unlabelled
            if unlabelled
            else replace(recipe.unlabelled, reprojection=0.0, bone_lengths=0.0)
        )
        return replace(recipe, data=DataConfig(labels=share), unlabelled=weights)

    return Method(name, None, with_share(_PAPER), with_share(_SMALL))


METHODS: dict[str, Method] = {
    "martinez": Method(
        "Martinez et al.",
        "Martinez [15]",
        _baseline(MartinezConfig(), _PAPER),
        # As many multiplications per pose as the temporal network (1.1 and 1.3 million).
        _baseline(MartinezConfig(channels=512, trajectory_channels=256, dropout=0.25), _SMALL),
    ),
    "pavllo": Method(
        "Pavllo et al. (Baseline)",
        "Pavlo [20]",
        _baseline(_PAPER.model, _PAPER),
        _baseline(_SMALL.model, _SMALL),
    ),
    "cai": Method(
        "Cai et al. (ST-GCN)",
        "Cai [2]",
        _baseline(STGCNConfig(), _PAPER),
        _baseline(STGCNConfig(frames=3, channels=16, trajectory_channels=128), _SMALL),
    ),
    "liu": Method(
        "Liu et al. (attention)",
        "Liu [14]",
        _baseline(AttentionConfig(), _PAPER),
        _baseline(AttentionConfig(layers=3, channels=192, trajectory_channels=128, squeeze=64), _SMALL),
    ),
    "kinematic": Method(
        "Baseline* (+ kinematic)",
        None,
        replace(_PAPER, loss=_KINEMATIC_LOSS),
        replace(_SMALL, loss=_KINEMATIC_LOSS),
    ),
    "spgnet": Method("SPGNet", "Our", _PAPER, _SMALL),
    "spgnet-27": _spgnet(3),
    "spgnet-81": _spgnet(4),
    "spgnet-243": _spgnet(5),
    "labels-10": _partly_labelled("10 % labels", 0.1, unlabelled=False),
    "semi-10": _partly_labelled("10 % labels, and 2D of the rest", 0.1, unlabelled=True),
}
"""The methods by the names in their run folders."""

NOT_RUN: dict[str, str] = {
    "Sun [22]": "works on images, not on 2D poses",
    "Yang [30]": "works on images, with adversarial training on pictures of other data sets",
    "Lee [13]": "works on images, through its own 2D network; we know of no published code",
    "Xu [28]": "a pipeline that corrects the 2D, lifts and refines; we know of no published code",
    "Hossain [7]": "its authors report a fault in the evaluation behind their paper's figures "
    "(github.com/rayat137/Pose_3D, issue 3)",
}
"""The columns of the paper that are only quoted, and why they do not run here."""

REMARKS: dict[str, str] = {
    "Cai [2]": "printed: probably with their pose refinement; here: without",
}
"""Remarks on columns of the paper that run here."""
