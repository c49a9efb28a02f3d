"""The methods: those of the paper's tables, why some of these are only quoted, and our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from spgnet.models import (
    AttentionConfig,
    MartinezConfig,
    ModelConfig,
    STGCNConfig,
    TransformerConfig,
)
from spgnet.training.recipes import BASELINE_LOSS, RECIPES, TrainConfig, at_full_size

Size = Literal["paper", "small", "full"]
Change = Callable[[TrainConfig], TrainConfig]
"""A change of a recipe."""


@dataclass(frozen=True)
class Method:
    """A method that runs here.

    Args:
        name: in our tables.
        paper_column: its column in the paper's tables, if it has one.
        paper: its recipe at its published size.
        small: a recipe for a CPU, with about the same time for a step for all of the paper's methods.
        full: a recipe for a CPU with 19 times the small one's budget in output frames.
    """

    name: str
    paper_column: str | None
    paper: TrainConfig
    small: TrainConfig
    full: TrainConfig

    def recipe(self, size: Size) -> TrainConfig:
        """The recipe at a size."""
        return {"paper": self.paper, "small": self.small, "full": self.full}[size]


_PAPER, _SMALL = RECIPES["paper-243"], RECIPES["small-27"]
_FULL = at_full_size(_SMALL)


def _arm(name: str, *changes: Change, column: str | None = None) -> Method:
    """SPGNet with changes, which are the same at every size."""
    recipes = [_PAPER, _SMALL, _FULL]
    for change in changes:
        recipes = [change(recipe) for recipe in recipes]
    return Method(name, column, *recipes)


def _other(name: str, column: str | None, paper: ModelConfig, small: ModelConfig) -> Method:
    """Another network with the Baseline's loss; the small one is its full size, too."""
    recipes = (replace(_PAPER, model=paper), replace(_SMALL, model=small), replace(_FULL, model=small))
    return Method(name, column, *map(_baseline_loss, recipes))


def _baseline_loss(recipe: TrainConfig) -> TrainConfig:
    """Pose and trajectory alone."""
    return replace(recipe, loss=BASELINE_LOSS)


def _loss(**weights: Any) -> Change:
    return lambda recipe: replace(recipe, loss=replace(recipe.loss, **weights))


def _network(**options: Any) -> Change:
    return lambda recipe: replace(recipe, model=replace(recipe.model, **options))


def _data(**options: Any) -> Change:
    return lambda recipe: replace(recipe, data=replace(recipe.data, **options))


def _without_unlabelled(recipe: TrainConfig) -> TrainConfig:
    """Leave out what has no labels."""
    return replace(recipe, unlabelled=replace(recipe.unlabelled, reprojection=0.0, bone_lengths=0.0))


def _after_a_third(recipe: TrainConfig) -> TrainConfig:
    """Leave out the re-projection term in the first third of the epochs."""
    return replace(recipe, loss=replace(recipe.loss, warm_up=max(1, recipe.epochs // 3)))


def _frames(widths: int) -> Change:
    """J = 3^widths."""
    return _network(filter_widths=(3,) * widths)


def _narrow(method: Method) -> Method:
    """With 128 channels at the small size, so that J = 243 can be trained on a CPU in minutes."""
    return replace(method, small=_network(channels=128, trajectory_channels=64)(method.small))


SCREEN_UNIT = 500.0
"""Pixels in a screen unit of Human3.6M's cameras."""

METHODS: dict[str, Method] = {
    # Of the paper's tables and figures
    "martinez": _other(
        "Martinez et al.",
        "Martinez [15]",
        MartinezConfig(),
        # As many multiplications per pose as the temporal network (1.1 and 1.3 million).
        MartinezConfig(channels=512, trajectory_channels=256, dropout=0.25),
    ),
    "pavllo": _arm("Pavllo et al. (Baseline)", _baseline_loss, column="Pavlo [20]"),
    "cai": _other(
        "Cai et al. (ST-GCN)",
        "Cai [2]",
        STGCNConfig(),
        STGCNConfig(frames=3, channels=16, trajectory_channels=128),
    ),
    "liu": _other(
        "Liu et al. (attention)",
        "Liu [14]",
        AttentionConfig(),
        AttentionConfig(layers=3, channels=192, trajectory_channels=128, squeeze=64),
    ),
    "kinematic": _arm("Baseline* (+ kinematic)", _loss(reprojection=0.0)),
    "spgnet": _arm("SPGNet", column="Our"),
    "spgnet-27": _narrow(_arm("SPGNet, J = 27", _frames(3))),
    "spgnet-81": _narrow(_arm("SPGNet, J = 81", _frames(4))),
    "spgnet-243": _narrow(_arm("SPGNet, J = 243", _frames(5))),
    "labels-10": _arm("10 % labels", _data(labels=0.1), _without_unlabelled),
    "semi-10": _arm("10 % labels, and 2D of the rest", _data(labels=0.1)),
    # Of the full size: the paper's losses with longer receptive fields
    "pavllo-81": _arm("Baseline, J = 81", _baseline_loss, _frames(4)),
    "pavllo-243": _arm("Baseline, J = 243", _baseline_loss, _frames(5)),
    "kinematic-81": _arm("Baseline*, J = 81", _loss(reprojection=0.0), _frames(4)),
    "kinematic-243": _arm("Baseline*, J = 243", _loss(reprojection=0.0), _frames(5)),
    # Guidance by construction
    "rays": _arm("Along rays", _baseline_loss, _network(output="rays")),
    "rays-spgnet": _arm("Along rays, SPGNet's loss", _network(output="rays")),
    # What decides whether the re-projection term helps
    "weight-0.05": _arm("SPGNet, weight 0.05", _loss(reprojection=0.05)),
    "weight-1": _arm("SPGNet, weight 1", _loss(reprojection=1.0)),
    "weight-5": _arm("SPGNet, weight 5", _loss(reprojection=5.0)),
    "pixels": _arm("SPGNet, in pixels with weight 1", _loss(reprojection=SCREEN_UNIT)),
    "late": _arm("SPGNet, re-projection after a third of the epochs", _after_a_third),
    "clean-target": _arm("SPGNet, exact 2D as target", _data(target="exact")),
    "pavllo-shared": _arm("Baseline, one encoder", _baseline_loss, _network(shared=True)),
    "shared": _arm("SPGNet, one encoder", _network(shared=True)),
    "pavllo-labels-10": _arm("Baseline, 10 % labels", _baseline_loss, _data(labels=0.1), _without_unlabelled),
    "pavllo-labels-1": _arm("Baseline, 1 % labels", _baseline_loss, _data(labels=0.01), _without_unlabelled),
    "labels-1": _arm("1 % labels", _data(labels=0.01), _without_unlabelled),
    "semi-1": _arm("1 % labels, and 2D of the rest", _data(labels=0.01)),
    "pavllo-camera-1": _arm("Baseline, one camera", _baseline_loss, _data(cameras=1)),
    "camera-1": _arm("SPGNet, one camera", _data(cameras=1)),
    # What else makes a network accurate
    "centred": _arm("SPGNet, 2D relative to the pelvis", _network(centred=True)),
    "frame-blocks": _arm(
        "SPGNet, a residual network on each frame first", _network(centred=True, frame_blocks=1)
    ),
    "transformer": _arm("Transformer", lambda recipe: replace(recipe, model=TransformerConfig())),
}
"""The methods by the names in their run folders."""

SEARCHED = ("spgnet", "centred", "frame-blocks", "transformer")
"""Methods whose settings are searched, with the same trials for each."""
TRIALS: dict[str, Change] = {
    "as it is": lambda recipe: recipe,
    "rate 0.0005": lambda recipe: replace(recipe, learning_rate=5e-4),
    "rate 0.002": lambda recipe: replace(recipe, learning_rate=2e-3),
    "dropout 0.1": lambda recipe: replace(recipe, model=_with_dropout(recipe.model, 0.1)),
}
"""The trials by their names; each has a third of the epochs."""


def _with_dropout(model: ModelConfig, dropout: float) -> ModelConfig:
    """A network with another dropout, of the transformer that of the trajectory."""
    name = "trajectory_dropout" if isinstance(model, TransformerConfig) else "dropout"
    return replace(model, **{name: dropout})


def _trial(method: Method, trial: str) -> Method:
    """A trial of a method, in a third of its epochs, over which the rate falls as far."""

    def shortened(recipe: TrainConfig) -> TrainConfig:
        epochs = max(1, recipe.epochs // 3)
        decay = recipe.decay ** (recipe.epochs / epochs)
        return replace(TRIALS[trial](recipe), epochs=epochs, decay=decay)

    recipes = (method.paper, method.small, method.full)
    return Method(f"{method.name}: {trial}", None, *map(shortened, recipes))


def trial_key(method: str, trial: str) -> str:
    """The key of a method's trial."""
    return f"{method}-{trial.replace(' ', '-')}"


METHODS |= {
    trial_key(method, trial): _trial(METHODS[method], trial) for method in SEARCHED for trial in TRIALS
}

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
