"""Add a term to the loss: left and right bones shall have the same length.

    spgnet train small-27 --import examples/07_add_a_loss_term.py --terms.symmetry.weight 0.5

The fields of the class are options of every recipe (``--terms.symmetry.NAME``), and stand in the run's
``config.json``. The same from Python, for a number of steps:

    python examples/07_add_a_loss_term.py 2000
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

import spgnet
from spgnet.data.samples import Batch
from spgnet.data.sources import load_validation
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftedPose
from spgnet.training.losses import LossTerm, register_loss_term

OTHER_SIDE = [HUMAN36M.mirror[child] - 1 for _, child in HUMAN36M.bones]


@register_loss_term
@dataclass(frozen=True)
class Symmetry(LossTerm):
    """Mean difference in length of a bone and its twin on the other side, in metres."""

    power: float = 1.0
    """Power of the difference."""

    def __call__(self, lifted: LiftedPose, batch: Batch) -> Tensor:
        lengths = HUMAN36M.bone_lengths(lifted.pose)
        return ((lengths - lengths[..., OTHER_SIDE]).abs() ** self.power).mean()


def main(steps: str) -> None:
    recipe = spgnet.RECIPES["small-27"]
    recipe = replace(recipe, terms={"symmetry": Symmetry(0.5)}, epochs=1, steps_per_epoch=int(steps))
    data, run = spgnet.load_training_data(recipe.data), Path("runs/symmetry")
    spgnet.train(recipe, run, data, load_validation(recipe.data), on_epoch=print)


if __name__ == "__main__":
    main(*sys.argv[1:])
