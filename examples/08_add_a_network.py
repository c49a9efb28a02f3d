"""Add a network: a recurrent one, trained and evaluated like the package's own.

    python examples/08_add_a_network.py 2000

The number is that of the training steps. To keep a network, put it and a configuration into spgnet/models/,
name both in spgnet/models/__init__.py, and add a recipe: then ``spgnet train`` takes it.
"""

import sys

import torch
from torch import Tensor, nn

import spgnet
from spgnet.data.samples import WindowSampler
from spgnet.models.network import LiftedPose, LiftingNetwork, root_relative
from spgnet.training.recipes import SPGNET_LOSS


class Recurrent(LiftingNetwork):
    """A GRU over the nine frames that end with the output frame; it takes screen coordinates."""

    receptive_field = 9
    context = (8, 0)  # input frames before and after the output frame

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = nn.GRU(2 * 17, channels, batch_first=True)
        self.pose = nn.Linear(channels, 3 * 17)
        self.trajectory = nn.ModuleDict({"head": nn.Linear(channels, 3)})

    def forward(self, keypoints_2d: Tensor, *, dense: bool = False) -> LiftedPose:
        windows = keypoints_2d.unfold(1, self.receptive_field, 1)  # batch, outputs, 17, 2, 9
        frames = windows.permute(0, 1, 4, 2, 3).flatten(3)
        state = self.gru(frames.flatten(0, 1))[1][-1].unflatten(0, frames.shape[:2])
        root = self.trajectory.get_submodule("head")(state).unsqueeze(2)
        return LiftedPose(root_relative(self.pose(state)), root)


def main(steps: str) -> None:
    torch.manual_seed(0)
    model, data = Recurrent(64), spgnet.load_dataset(spgnet.DataConfig(), "train")
    model.init_root_bias(data.joints[:, 0].mean(dim=0))
    sampler = WindowSampler(data, frames_per_sample=2, context=model.context)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(int(steps)):
        batch = sampler.draw_random(64)
        terms = spgnet.losses.weighted_losses(model(batch.keypoints_2d), batch, SPGNET_LOSS)
        optimizer.zero_grad()
        spgnet.losses.total(terms).backward()
        optimizer.step()
    result = spgnet.evaluate(model.eval(), spgnet.load_dataset(spgnet.DataConfig(), "test"))
    print(f"MPJPE on the test split: {result.mean_over_actions['mpjpe']:.1f} mm")


if __name__ == "__main__":
    main(*sys.argv[1:])
