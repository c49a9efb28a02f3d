"""The tree of joints, its bones and its mirror image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spgnet.geometry.skeleton import HUMAN36M, Skeleton, take_joints

law = settings(max_examples=30)

seeds = st.integers(0, 2**31)


def _poses(seed: int, *shape: int, coordinates: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, 17, coordinates, generator=generator, dtype=torch.float64)


def test_the_human36m_skeleton_has_17_joints_and_16_bones_in_the_fields_order() -> None:
    assert len(HUMAN36M) == 17
    assert len(HUMAN36M.bones) == len(HUMAN36M.bone_names) == 16
    assert HUMAN36M.names[0] == "pelvis"
    assert [HUMAN36M.side(j) for j in range(17)] == (
        ["middle"] + ["right"] * 3 + ["left"] * 3 + ["middle"] * 4 + ["left"] * 3 + ["right"] * 3
    )


def test_every_joint_but_the_root_ends_one_bone_that_starts_at_its_parent() -> None:
    assert [child for _, child in HUMAN36M.bones] == list(range(1, 17))
    assert [parent for parent, _ in HUMAN36M.bones] == list(HUMAN36M.parents[1:])
    assert HUMAN36M.bone_names == HUMAN36M.names[1:]


def test_twins_are_mirror_images_in_the_tree_too() -> None:
    for joint, twin in enumerate(HUMAN36M.mirror):
        assert HUMAN36M.mirror[twin] == joint
        assert {HUMAN36M.side(joint), HUMAN36M.side(twin)} in ({"left", "right"}, {"middle"})
        parent = HUMAN36M.parents[joint]
        assert HUMAN36M.parents[twin] == (HUMAN36M.mirror[parent] if parent >= 0 else -1)


@given(seeds, st.sampled_from([2, 3]))
@law
def test_flip_is_its_own_inverse(seed: int, coordinates: int) -> None:
    poses = _poses(seed, 2, 3, coordinates=coordinates)
    assert torch.equal(HUMAN36M.flip(HUMAN36M.flip(poses)), poses)


def test_flip_exchanges_twins_and_negates_x_alone() -> None:
    pose = _poses(0)
    flipped = HUMAN36M.flip(pose)
    for joint, name in enumerate(HUMAN36M.names):
        other = name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
        x, y, z = pose[HUMAN36M.names.index(other)].tolist()
        assert flipped[joint].tolist() == [-x, y, z]


def test_flip_leaves_its_argument_alone() -> None:
    pose = _poses(0)
    before = pose.clone()
    HUMAN36M.flip(pose)
    assert torch.equal(pose, before)


@given(seeds)
@law
def test_flip_keeps_bone_lengths_and_exchanges_those_of_twins(seed: int) -> None:
    pose = _poses(seed)
    before, after = HUMAN36M.bone_lengths(pose), HUMAN36M.bone_lengths(HUMAN36M.flip(pose))
    for bone, name in enumerate(HUMAN36M.bone_names):
        twin = HUMAN36M.names[HUMAN36M.mirror[HUMAN36M.names.index(name)]]
        torch.testing.assert_close(after[bone], before[HUMAN36M.bone_names.index(twin)])


def test_bone_lengths_are_the_distances_of_joints_and_parents() -> None:
    poses = _poses(1, 2, 3)
    lengths = HUMAN36M.bone_lengths(poses)
    assert lengths.shape == (2, 3, 16)
    for i in range(2):
        for j in range(3):
            for joint in range(1, 17):
                parent = HUMAN36M.parents[joint]
                gap = [(poses[i, j, joint, k] - poses[i, j, parent, k]).item() for k in range(3)]
                expected = sum(g * g for g in gap) ** 0.5
                assert lengths[i, j, joint - 1].item() == pytest.approx(expected, abs=1e-12)


@given(seeds)
@law
def test_with_bone_lengths_gives_these_lengths_and_keeps_directions_and_root(seed: int) -> None:
    poses = _poses(seed, 4)
    wanted = 0.1 + torch.rand(16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    placed = HUMAN36M.with_bone_lengths(poses, wanted)
    torch.testing.assert_close(HUMAN36M.bone_lengths(placed), wanted.expand(4, 16))
    assert torch.equal(placed[:, 0], poses[:, 0])
    for parent, child in HUMAN36M.bones:
        before, after = (
            torch.nn.functional.normalize(p[:, child] - p[:, parent], dim=-1) for p in (poses, placed)
        )
        torch.testing.assert_close(after, before)


def test_with_its_own_bone_lengths_a_pose_stays_as_it_is() -> None:
    poses = _poses(2, 3)
    torch.testing.assert_close(HUMAN36M.with_bone_lengths(poses, HUMAN36M.bone_lengths(poses)), poses)


def test_a_bone_without_direction_stays_a_point() -> None:
    pose = torch.zeros(17, 3)
    assert torch.equal(HUMAN36M.with_bone_lengths(pose, torch.ones(16)), pose)


@pytest.mark.parametrize(
    ("names", "parents", "message"),
    [
        ((), (), "no joints"),
        (("a", "b"), (-1,), "2 names has 1 parents"),
        (("a", "b"), (0, 0), "parents must be -1 for joint 0"),
        (("a", "b", "c"), (-1, 2, 0), "then earlier joints"),
        (("a", "b"), (-1, 1), "then earlier joints"),
        (("a", "b"), (-1, -1), "then earlier joints"),
        (("a", "left_b"), (-1, 0), "'left_b' has no twin 'right_b'"),
        (("a", "b", "b"), (-1, 0, 0), "more than one joint called 'b'"),
    ],
)
def test_what_is_not_a_tree_of_twins_raises(
    names: tuple[str, ...], parents: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Skeleton(names, parents)


def test_joints_are_copied_and_their_gradients_are_added_up_in_one_order_on_every_device():
    joints, indices = torch.randn(2, 5, 17, 3), (3, 0, 3)
    taken = take_joints(joints, indices)
    assert torch.equal(taken, joints[..., indices, :])
    taken.zero_()
    assert joints.all()
    elsewhere = torch.empty(5, 17, 3, device="meta", requires_grad=True)
    taken = take_joints(elsewhere, indices)
    assert taken.shape == (5, 3, 3)
    assert taken.grad_fn is not None
    # on a GPU, that of index_select has no certain order (torch.use_deterministic_algorithms)
    assert taken.grad_fn.name() == "IndexBackward0"
