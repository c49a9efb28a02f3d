"""Forward kinematics agrees with its definition, computed one joint at a time."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.kinematics import compose_rotations, forward_kinematics, sum_bones

TREE = (-1, 0, 1, 1, 0, 4, -1, 6)


def random_tree(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotations [2, 3, joints, 3, 3] and offsets [2, 3, joints, 3] of a tree."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(2, 3, len(TREE), 3, dtype=torch.float64, generator=generator)
    return roma.rotvec_to_rotmat(vectors), torch.randn(
        vectors.shape, dtype=torch.float64, generator=generator
    )


def ancestors(joint: int) -> list[int]:
    """The joint and those that it hangs on, up to its root."""
    return [joint] + (ancestors(TREE[joint]) if TREE[joint] >= 0 else [])


@pytest.mark.parametrize("rotates", ["from_joint", "to_joint"])
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_positions_and_rotations_are_those_of_the_definition(rotates, seed):
    rotations, offsets = random_tree(seed)
    positions, world = forward_kinematics(rotations, offsets, TREE, rotates=rotates)
    for batch in np.ndindex(2, 3):
        own, steps = rotations[batch].numpy(), offsets[batch].numpy()
        for joint in range(len(TREE)):
            place, axes = np.zeros(3), np.eye(3)
            for step in reversed(ancestors(joint)):
                before, axes = axes, axes @ own[step]
                turned = before if rotates == "from_joint" or TREE[step] < 0 else axes
                place = place + turned @ steps[step]
            np.testing.assert_allclose(world[batch][joint], axes, atol=1e-12)
            np.testing.assert_allclose(positions[batch][joint], place, atol=1e-12)


def test_without_rotations_positions_are_sums_of_offsets():
    rotations, offsets = random_tree(1)
    still = torch.eye(3, dtype=torch.float64).expand_as(rotations)
    for rotates in ("from_joint", "to_joint"):
        positions, world = forward_kinematics(still, offsets, TREE, rotates=rotates)
        torch.testing.assert_close(positions, sum_bones(offsets, TREE))
        assert torch.equal(world, still)
    for joint in range(len(TREE)):
        expected = offsets[..., ancestors(joint), :].sum(dim=-2)
        torch.testing.assert_close(sum_bones(offsets, TREE)[..., joint, :], expected)


def test_offsets_of_one_body_serve_all_frames():
    rotations, offsets = random_tree(2)
    one = forward_kinematics(rotations, offsets[0, 0], TREE)[0]
    torch.testing.assert_close(
        one, forward_kinematics(rotations, offsets[:1, :1].expand_as(offsets), TREE)[0]
    )


def test_turning_a_root_turns_its_tree_and_no_other():
    rotations, offsets = random_tree(3)
    turn = roma.rotvec_to_rotmat(torch.tensor([0.3, 1.0, -0.4], dtype=torch.float64))
    turned = rotations.clone()
    turned[..., 0, :, :] = turn @ rotations[..., 0, :, :]
    before, after = compose_rotations(rotations, TREE), compose_rotations(turned, TREE)
    torch.testing.assert_close(after[..., :6, :, :], turn @ before[..., :6, :, :])
    assert torch.equal(after[..., 6:, :, :], before[..., 6:, :, :])
    moved = forward_kinematics(turned, offsets, TREE)[0] - offsets[..., :1, :]
    still = forward_kinematics(rotations, offsets, TREE)[0] - offsets[..., :1, :]
    torch.testing.assert_close(moved[..., :6, :], still[..., :6, :] @ turn.T)
