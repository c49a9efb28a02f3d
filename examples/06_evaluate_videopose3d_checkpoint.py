"""Evaluate a checkpoint of VideoPose3D (Pavllo et al., 2019) by every metric.

    python examples/06_evaluate_videopose3d_checkpoint.py pretrained_h36m_cpn.bin H36M

H36M is a folder with VideoPose3D's archives ``data_3d_h36m.npz`` and ``data_2d_h36m_cpn_ft_h36m_dbb.npz``.
Without it, the checkpoint is evaluated on generated motion, which it was not trained for.
"""

import sys
from pathlib import Path

import spgnet
from spgnet.models.baselines.videopose3d import load_videopose3d


def main(checkpoint: str, takes: str | None = None) -> None:
    model = load_videopose3d(Path(checkpoint))
    data = spgnet.DataConfig(takes=Path(takes), input="detected") if takes else spgnet.DataConfig()
    result = spgnet.evaluate(model, spgnet.load_dataset(data, "test"))
    print(result.to_markdown())
    print(f"MPJPE, mean over actions: {result.mean_over_actions['mpjpe']:.1f} mm ({result.frames} frames)")


if __name__ == "__main__":
    main(*sys.argv[1:])
