"""Memory of training the paper's network on generated motion of Human3.6M's size, in VideoPose3D's archives.

python benchmarks/human36m_memory.py FOLDER       # writes 0.5 GB into it, unless it is there
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from spgnet.data.config import DataConfig
from spgnet.data.sources import check_data, load_training_data
from spgnet.models import build_model
from spgnet.training.draws import samplers_for
from spgnet.training.losses import total, weighted_losses
from spgnet.training.optimization import build_optimizer
from spgnet.training.recipes import RECIPES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "datasets"))
import human36m_files  # pyright: ignore[reportMissingImports]

DETECTOR = "cpn_ft_h36m_dbb"
SEQUENCE_FRAMES = 2502
"""Of each of the 209 sequences: Human3.6M's have as many on average (1.56 million frames in four cameras to
train on, 543 thousand to test on)."""


def main() -> None:
    """Write the archives, and measure the steps, each with the peak memory so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", default="paper-243")
    options = parser.parse_args()
    if not (options.folder / "data_3d_h36m.npz").exists():
        write(options.folder)
    recipe = RECIPES[options.recipe]
    measured("spgnet data check", lambda: check_data(options.folder))
    config = DataConfig(takes=options.folder, input="detected", detector=DETECTOR)
    data = measured("loading the training set", lambda: load_training_data(config))
    model = build_model(recipe.model)
    sampler, _ = measured("its samplers", lambda: samplers_for(recipe, data, model, torch.device("cpu")))
    print(f"{data.frames} frames, {recipe.steps_in_epoch(data.frames)} steps an epoch")
    optimizer = build_optimizer(recipe, model)

    def step() -> None:
        batch = sampler.draw(torch.arange(recipe.batch_size // recipe.frames_per_sample))
        total(weighted_losses(model(batch.keypoints_2d), batch, recipe.loss)).backward()
        optimizer.step()

    measured(f"a step of {options.recipe}", step)


def write(folder: Path) -> None:
    """As many frames as Human3.6M has, of a few seconds of motion again and again."""
    motion = human36m_files.make_motion(frames=(40, 40))
    for sequences in motion.values():
        for name, joints in sequences.items():
            repeats = -(-SEQUENCE_FRAMES // len(joints))
            sequences[name] = joints.repeat(repeats, 1, 1)[:SEQUENCE_FRAMES]
    human36m_files.write_prepared(folder, motion, (DETECTOR,))


def measured(what: str, function: Callable[[], Any]) -> Any:
    """Call a function, and print what it took."""
    began = time.process_time()
    result = function()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what}: peak {peak:.1f} GiB, {time.process_time() - began:.0f} s of a core", flush=True)
    return result


if __name__ == "__main__":
    main()
