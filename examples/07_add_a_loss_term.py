"""Add a term to the loss: left and right bones shall have the same length.

    python examples/07_add_a_loss_term.py 2000

The number is that of the training steps. To keep a term, write it into spgnet/training/losses.py and give
it a weight in ``LossWeights`` there: then ``spgnet train RECIPE --loss.NAME 0.5`` takes it.
"""

import sys

import torch
from torch import Tensor

import spgnet
from spgnet.data.samples import WindowSampler
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.training.recipes import SPGNET_LOSS

OTHER_SIDE = [HUMAN36M.mirror[child] - 1 for _, child in HUMAN36M.bones]


def symmetry_loss(pose: Tensor) -> Tensor:
    """Mean difference in length of a bone and its twin on the other side, in metres."""
    lengths = HUMAN36M.bone_lengths(pose)
    return (lengths - lengths[..., OTHER_SIDE]).abs().mean()


def main(steps: str) -> None:
    torch.manual_seed(0)
    config = spgnet.SPGNetConfig(filter_widths=(3, 3), channels=64, trajectory_channels=32, dropout=0.0)
    model = spgnet.SPGNet(config)
    data = spgnet.load_dataset(spgnet.DataConfig(), "train")  # generated motion before four cameras
    model.init_root_bias(data.joints[:, 0].mean(dim=0))
    sampler = WindowSampler(data, frames_per_sample=2, context=model.context)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(int(steps)):
        batch = sampler.draw_random(64)
        lifted = model(batch.keypoints_2d)
        terms = spgnet.losses.weighted_losses(lifted, batch, SPGNET_LOSS)
        terms["symmetry"] = 0.5 * symmetry_loss(lifted.pose)
        optimizer.zero_grad()
        spgnet.losses.total(terms).backward()
        optimizer.step()
        if step % 100 == 0:
            print(step, {name: f"{value.item():.4f}" for name, value in terms.items()})
    result = spgnet.evaluate(model.eval(), spgnet.load_dataset(spgnet.DataConfig(), "test"))
    print(f"MPJPE on the test split: {result.mean_over_actions['mpjpe']:.1f} mm")


if __name__ == "__main__":
    main(*sys.argv[1:])
