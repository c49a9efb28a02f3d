"""The usual position of feet on their shanks."""

import numpy as np

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.usual_feet import FLEXION, usual_flexion


def test_a_standing_foot_bends_with_its_shank_and_a_raised_one_points_down():
    joints = np.zeros((4, 17, 3))
    for side, across in (("right", 0.1), ("left", -0.1)):
        for joint, ahead, height in (("hip", 0.15, 0.88), ("knee", 0.15, 0.48), ("ankle", 0.0, 0.08)):
            joints[:, HUMAN36M.names.index(f"{side}_{joint}")] = [across, ahead, height]
    joints[1, :, 1] *= 2
    joints[2, :, 2] += 0.08
    joints[3, :, 2] += 1
    (upright, leaning, raised, flying), air = usual_flexion(joints, np.array([0, 0, 1.0]), 0.0, 1.0)
    assert (leaning > upright + 0.1).all()
    assert (raised < upright - 0.1).all()
    np.testing.assert_allclose(flying, FLEXION)
    np.testing.assert_allclose(air[[0, 1, 3]], [[0, 0], [0, 0], [1, 1]], atol=1e-6)
