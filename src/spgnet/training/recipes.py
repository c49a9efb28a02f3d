"""Training configurations, and the named ones: the paper's, and small ones for a CPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from spgnet.data.config import DataConfig
from spgnet.errors import InputError
from spgnet.models import MartinezConfig, ModelConfig, RayNetConfig, SPGNetConfig, TransformerConfig
from spgnet.synthetic.domain_randomization import REALISTIC
from spgnet.training.losses import LossTerm, LossWeights, UnlabelledWeights

FIRST_MOMENTUM = 0.1
"""Momentum of batch normalization in the first epoch, where it changes at all; PyTorch's default."""
Precision = Literal["32-true", "bf16-mixed"]
SPGNET_LOSS = LossWeights(kinematic=1.0, reprojection=0.2)
"""SPGNet's loss, the projector's guidance and the kinematic constraint, for networks without dropout."""
SPGNET_LOSS_WITH_DROPOUT = replace(SPGNET_LOSS, kinematic=0.1)
"""The same with dropout, which differs between neighbouring frames and so disturbs their bone lengths."""
BASELINE_LOSS = LossWeights(pose=1.0, trajectory=1.0, kinematic=0.0, reprojection=0.0)
"""The Baseline's: the errors of the pose and of the trajectory alone, as VideoPose3D is trained."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that the result of a training run depends on.

    Raises:
        InputError: a value is out of its range.
    """

    model: Annotated[ModelConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=SPGNetConfig)
    """The network."""
    loss: LossWeights = SPGNET_LOSS_WITH_DROPOUT
    """Weights of the loss terms."""
    terms: dict[str, LossTerm] = field(default_factory=dict)
    """Loss terms of your own, by the names that they are registered under."""
    unlabelled: UnlabelledWeights = field(default_factory=UnlabelledWeights)
    """Weights of the terms on 2D without 3D, where the data have such."""
    data: DataConfig = field(default_factory=DataConfig)
    """The motion to train on."""
    initial_weights: Path | None = None
    """Weights of a network of the same size to start from: a safetensors file, a run folder, or the name of
    weights in the package (default, live); by default, random ones."""
    epochs: int = 100
    """Epochs to train."""
    steps_per_epoch: int | None = None
    """Steps in an epoch; by default as many as make one output frame of every frame of the data, or two with
    mirrored copies."""
    batch_size: int = 1024
    """Output frames in a batch."""
    frames_per_sample: int = 2
    """Consecutive output frames in a sample; the kinematic term compares neighbours."""
    dense: bool = False
    """Share the work between the output frames of a sample, which is faster if there are many
    (``frames_per_sample``), instead of computing each by itself."""
    optimizer: Literal["adam", "adamw", "amsgrad"] = "adam"
    """What minimises the loss; VideoPose3D's is amsgrad."""
    weight_decay: float = 0.01
    """Of adamw; the others have none."""
    learning_rate: float = 1e-3
    """The optimizer's rate in the first epoch."""
    schedule: Literal["exponential", "cosine"] = "exponential"
    """How the rate falls: by a factor from epoch to epoch, or along half a cosine to zero after the last."""
    decay: float = 0.95
    """The factor of the exponential schedule."""
    warm_up_steps: int = 0
    """First steps, in which the rate besides rises in equal steps from zero."""
    cooldown: int = 0
    """Last epochs, in which the rate besides falls in equal steps towards zero."""
    weight_average: float | None = None
    """Decay, from step to step, of a running average of the weights, which is what is validated and kept;
    without it, the weights themselves are."""
    steps_per_draw: int = 1
    """Steps whose samples are drawn at once, which costs less time than one by one."""
    final_momentum: float | None = None
    """Momentum of batch normalization towards which it falls exponentially, from 0.1 in the first epoch
    (0.001 in VideoPose3D); by default, it is the network's own throughout."""
    max_grad_norm: float | None = None
    """Largest norm of the gradient; a larger one is scaled down."""
    flip: bool = True
    """Mirror a random half of the samples."""
    mirrored_copies: bool = False
    """With flip, have every sample in an epoch as it is and mirrored, as VideoPose3D has, instead of a random
    half mirrored: twice the steps."""
    seed: int = 0
    """Seed of the weights, the order of the samples, flips and dropout."""
    precision: Precision = "32-true"
    """Of the arithmetic, by Lightning Fabric's names: single, or mixed with bfloat16."""
    checkpoint_every: int = 1000
    """Steps between checkpoints; there is one after every epoch, too."""

    def __post_init__(self) -> None:
        counts = ("epochs", "batch_size", "frames_per_sample", "steps_per_draw", "checkpoint_every")
        errors = [
            f"{name} must be at least 1, got {getattr(self, name)}"
            for name in counts
            if getattr(self, name) < 1
        ]
        if self.steps_per_epoch is not None and self.steps_per_epoch < 1:
            errors.append(f"steps_per_epoch must be at least 1, got {self.steps_per_epoch}")
        if not any((*self.loss.of_terms(epoch=0).values(), *(term.weight for term in self.terms.values()))):
            errors.append("only the re-projection term has a weight, which loss.warm_up leaves out at first")
        if self.loss.kinematic and self.frames_per_sample < 2:
            errors.append("the kinematic term needs frames_per_sample of at least 2")
        if self.batch_size < 2 * self.frames_per_sample:
            errors.append(
                f"a batch of {self.batch_size} output frames does not hold two samples of "
                f"{self.frames_per_sample}"
            )
        if not (self.learning_rate > 0 and 0 < self.decay <= 1):
            errors.append(
                f"learning_rate {self.learning_rate} must be positive, decay {self.decay} in (0, 1]"
            )
        if self.mirrored_copies and self.data.input == "randomized":
            errors.append("mirrored_copies is for samples of a data set, not for randomized ones")
        if isinstance(self.model, SPGNetConfig) and self.model.confidence and self.data.input != "detected":
            errors.append('confidence is that of a detector: it needs the input "detected"')
        if self.cooldown < 0:
            errors.append(f"cooldown must not be negative, got {self.cooldown}")
        if self.warm_up_steps < 0 or not 0 <= self.weight_decay < math.inf:
            got = f"{self.warm_up_steps} and {self.weight_decay}"
            errors.append(f"warm_up_steps and weight_decay must be finite and not negative, got {got}")
        if self.final_momentum is not None and not 0 < self.final_momentum < 1:
            errors.append(f"final_momentum must be between 0 and 1, got {self.final_momentum}")
        if self.weight_average is not None and not 0 < self.weight_average < 1:
            errors.append(f"weight_average must be between 0 and 1, got {self.weight_average}")
        if self.max_grad_norm is not None and not self.max_grad_norm > 0:
            errors.append(f"max_grad_norm must be positive, got {self.max_grad_norm}")
        if not 0 <= self.seed < 2**32:
            errors.append(f"seed must be between 0 and 2**32, got {self.seed}")
        rates = self.model.rates if isinstance(self.model, RayNetConfig) else None
        if self.data.input == "randomized" and rates and self.data.randomization.fps != rates:
            errors.append(
                f"the model is for {rates} frames per second, and data.randomization.fps draws "
                f"{self.data.randomization.fps}; give both the same"
            )
        if errors:
            raise InputError("; ".join(errors))

    def rate_in_epoch(self, epoch: int) -> float:
        """The optimizer's rate in an epoch, counted from 0, without the warm-up."""
        remaining = min(1.0, (self.epochs - epoch) / (self.cooldown + 1))
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2 * remaining
        return self.learning_rate * self.decay**epoch * remaining

    def rate_of_step(self, epoch: int, step: int) -> float:
        """The optimizer's rate in a step, counted from 0 in the first epoch, which lies in this epoch."""
        return self.rate_in_epoch(epoch) * min(1.0, (step + 1) / (self.warm_up_steps + 1))

    def momentum_in_epoch(self, epoch: int) -> float | None:
        """Momentum of batch normalization in an epoch, counted from 0; None if it is the network's own."""
        if self.final_momentum is None:
            return None
        return FIRST_MOMENTUM * (self.final_momentum / FIRST_MOMENTUM) ** (epoch / self.epochs)

    def steps_in_epoch(self, frames: int) -> int:
        """Steps in an epoch over data of so many frames."""
        if self.steps_per_epoch is not None:
            return self.steps_per_epoch
        if self.flip and self.mirrored_copies:
            return math.ceil(2 * frames / self.batch_size)
        return max(1, frames // self.batch_size)


_PAPER = TrainConfig(mirrored_copies=True)


def _paper(layers: int) -> TrainConfig:
    return replace(_PAPER, model=SPGNetConfig(filter_widths=(3,) * layers))


def at_full_size(recipe: TrainConfig) -> TrainConfig:
    """A small recipe with 19 times as many output frames: 22 minutes of one core's steps for ``small-27``."""
    return replace(recipe, epochs=30, steps_per_epoch=1000, batch_size=256, decay=0.9, steps_per_draw=4)


_SMALL_NETWORK = SPGNetConfig(filter_widths=(3, 3, 3), channels=256, trajectory_channels=128)
_SMALL = TrainConfig(
    model=_SMALL_NETWORK,
    loss=SPGNET_LOSS_WITH_DROPOUT,
    epochs=8,
    steps_per_epoch=400,
    batch_size=128,
    decay=0.7,
)

_ANY_CAMERA = RayNetConfig(filter_widths=(3, 3, 3), channels=512, trajectory_channels=128, dropout=0.0)
_RANDOMIZED = TrainConfig(
    model=_ANY_CAMERA,
    loss=replace(SPGNET_LOSS, kinematic=2.0),
    data=DataConfig(input="randomized", by_movement=True, randomization=REALISTIC),
    epochs=33,
    steps_per_epoch=5000,
    batch_size=256,
    frames_per_sample=4,
    decay=0.95,
    cooldown=7,
    weight_average=0.9995,
    steps_per_draw=8,
    max_grad_norm=1.0,
    precision="bf16-mixed",
)

RECIPES: dict[str, TrainConfig] = {
    "paper-243": _paper(5),
    "paper-81": _paper(4),
    "paper-27": _paper(3),
    "small-27": _SMALL,
    "rays-27": at_full_size(
        replace(_SMALL, model=replace(_SMALL_NETWORK, output="rays"), loss=BASELINE_LOSS)
    ),
    "transformer": replace(
        _SMALL,
        model=TransformerConfig(),
        epochs=12,
        steps_per_epoch=340,
        batch_size=64,
        decay=0.75,
        precision="bf16-mixed",
    ),
    "demo": replace(
        _SMALL,
        model=SPGNetConfig(filter_widths=(3, 3, 3), channels=128, trajectory_channels=64, dropout=0.0),
        loss=SPGNET_LOSS,
        epochs=10,
        decay=0.8,
    ),
    "randomized": _RANDOMIZED,
    "randomized-again": replace(
        _RANDOMIZED, epochs=28, batch_size=200, frames_per_sample=2, learning_rate=5e-4, cooldown=12
    ),
    "randomized-live": replace(
        _RANDOMIZED,
        model=replace(_ANY_CAMERA, causal=True),
        epochs=20,
        learning_rate=5e-4,
    ),
    "randomized-gpu": replace(
        _RANDOMIZED,
        epochs=60,
        steps_per_epoch=1000,
        batch_size=4096,
        decay=0.93,
        cooldown=0,
        weight_average=0.999,
        steps_per_draw=4,
    ),
    "martinez": replace(_PAPER, model=MartinezConfig(), loss=BASELINE_LOSS, frames_per_sample=1),
    "videopose3d-243": replace(_paper(5), loss=BASELINE_LOSS, frames_per_sample=1),
}
"""Named configurations; ``spgnet train NAME`` takes each as it is or with changes."""

RECIPE_DESCRIPTIONS: dict[str, str] = {
    "paper-243": "The paper's SPGNet: J = 243, 1024 channels (a GPU's work).",
    "paper-81": "The paper's SPGNet with J = 81.",
    "paper-27": "The paper's SPGNet with J = 27.",
    "small-27": "SPGNet for a CPU: J = 27, 256 channels, a few minutes.",
    "rays-27": "SPGNet's network along viewing rays: J = 27, 256 channels, half an hour on a CPU.",
    "transformer": "A transformer over time and joints for a CPU: J = 9, a few minutes.",
    "demo": "The network of the demo: J = 27, 128 channels, about a minute.",
    "randomized": "Any camera, a real detector's errors and gaps (J = 27): the shipped weights, first part.",
    "randomized-again": "The shipped weights, second part; for --initial-weights runs/randomized.",
    "randomized-live": "The same, looking at past frames only; for --initial-weights runs/randomized.",
    "randomized-gpu": "Like randomized, in batches for a GPU (with --machine.compiled).",
    "martinez": "Martinez et al.'s single-frame network at its published size.",
    "videopose3d-243": "The paper's Baseline, VideoPose3D: no projector, no kinematic term.",
}


def register_recipe(name: str, recipe: TrainConfig, description: str) -> None:
    """Make a recipe of your own known: ``spgnet train NAME``.

    Raises:
        InputError: a recipe of the package has this name.
    """
    if name in _OWN:
        raise InputError(f"the package has a recipe called {name!r}; call yours otherwise")
    RECIPES[name], RECIPE_DESCRIPTIONS[name] = recipe, description


_OWN = frozenset(RECIPES)
"""Names of the package's recipes."""
