"""Train a network for any camera on your own motion capture, and lift with it.

    python examples/05_train_on_your_motion_capture.py MOTION runs/mine keypoints.npz

MOTION is a folder of BVH, ASF/AMC or archive files (docs/datasets.md); ``spgnet data check MOTION`` says what
is in it. A full training, ``spgnet train randomized --data.motion MOTION``, takes an hour of a CPU; this one
is cut short. What is done here step by step, that command does in one go.
"""

import sys
from dataclasses import replace
from pathlib import Path

import spgnet
from spgnet.data.sources import load_validation


def main(motion: str, run: str, keypoints: str) -> None:
    recipe = spgnet.RECIPES["randomized"]
    recipe = replace(
        recipe,
        model=replace(recipe.model, channels=32, trajectory_channels=16),
        data=replace(recipe.data, motion=Path(motion), generated=4),
        epochs=1,
        steps_per_epoch=5,
        batch_size=32,
    )
    finished = spgnet.train(
        recipe,
        Path(run),
        spgnet.load_training_data(recipe.data),
        load_validation(recipe.data),
        on_epoch=lambda entry: print(f"validation MPJPE {entry['validation_mpjpe']:.0f} mm"),
    )
    print("finished" if finished else "stopped: go on with resume=True")
    (lifted,) = spgnet.lift(keypoints, weights=run)
    print(f"{len(lifted)} frames lifted with {lifted.weights}")


if __name__ == "__main__":
    main(*sys.argv[1:])
