"""Add a network, a recurrent one, and a recipe for it.

    spgnet train recurrent --import examples/08_add_a_network.py
    spgnet evaluate runs/recurrent --import examples/08_add_a_network.py

From Python, for a number of steps:
    python examples/08_add_a_network.py 2000
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

import spgnet
from spgnet.data.sources import load_validation
from spgnet.models import LiftedPose, LiftingNetwork, ModelConfig, register_network
from spgnet.models.network import root_relative
from spgnet.training.recipes import RECIPES, register_recipe


@dataclass(frozen=True)
class RecurrentConfig(ModelConfig):
    """The size of the network; its fields are options of the recipe."""

    frames: int = 9
    channels: int = 64


class Recurrent(LiftingNetwork):
    """A GRU over the frames that end with the output frame; it takes screen coordinates."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.receptive_field, self.context = config.frames, (config.frames - 1, 0)
        self.gru = nn.GRU(2 * 17, config.channels, batch_first=True)
        self.pose = nn.Linear(config.channels, 3 * 17)
        self.trajectory = nn.ModuleDict({"head": nn.Linear(config.channels, 3)})

    def forward(self, keypoints_2d: Tensor, *, dense: bool = False) -> LiftedPose:
        frames = keypoints_2d.unfold(1, self.receptive_field, 1).permute(0, 1, 4, 2, 3).flatten(3)
        state = self.gru(frames.flatten(0, 1))[1][-1].unflatten(0, frames.shape[:2])
        root = self.trajectory.get_submodule("head")(state)
        return LiftedPose(root_relative(self.pose(state)), root.unsqueeze(2))


register_network(RecurrentConfig, Recurrent)
register_recipe("recurrent", replace(RECIPES["small-27"], model=RecurrentConfig()), "A GRU over nine frames.")


def main(steps: str) -> None:
    recipe = replace(RECIPES["recurrent"], epochs=1, steps_per_epoch=int(steps))
    data, run = spgnet.load_training_data(recipe.data), Path("runs/recurrent")
    spgnet.train(recipe, run, data, load_validation(recipe.data), on_epoch=print)


if __name__ == "__main__":
    main(*sys.argv[1:])
