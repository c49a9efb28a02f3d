"""The cameras of Human3.6M, and random ones."""

import pytest
import torch
from torch import Tensor

from spgnet.geometry.rigs import human36m_rig, look_at, random_rig

SESSIONS = ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]


def _stick(height: float = 1.7, steps: int = 18) -> Tensor:
    """A person at the origin, from the feet to the vertex."""
    stick = torch.zeros(steps, 3)
    stick[:, 2] = torch.linspace(0, height, steps)
    return stick


def _assert_rotations(rotation: Tensor) -> None:
    count = len(rotation)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(count, 3, 3), rtol=0, atol=1e-6)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(count), rtol=0, atol=1e-6)


@pytest.mark.parametrize("session", SESSIONS)
def test_human36ms_cameras_stand_around_the_capture_space(session: str) -> None:
    rig = human36m_rig(session)
    assert rig.position.shape == (4, 3)
    assert bool(((rig.position[:, 2] > 1.4) & (rig.position[:, 2] < 1.65)).all())
    distance = rig.position[:, :2].norm(dim=-1)
    assert bool(((distance > 4) & (distance < 5.7)).all())
    assert distance.mean().item() == pytest.approx(5, abs=0.3)
    quadrants = {tuple((camera > 0).tolist()) for camera in rig.position[:, :2]}
    assert len(quadrants) == 4


@pytest.mark.parametrize("session", SESSIONS)
def test_human36ms_cameras_look_at_the_capture_space_and_stand_upright(session: str) -> None:
    rig = human36m_rig(session)
    _assert_rotations(rig.rotation)
    right, down, forward = rig.rotation.unbind(dim=1)
    towards = torch.nn.functional.normalize(torch.tensor([0.0, 0.0, 0.9]) - rig.position, dim=-1)
    assert bool(((forward * towards).sum(dim=-1) > 0.98).all())
    assert bool((down[:, 2] < -0.95).all())
    assert bool((right[:, 2].abs() < 0.1).all())  # they roll by up to 5 degrees


@pytest.mark.parametrize("session", SESSIONS)
def test_a_person_at_the_origin_is_upright_within_all_four_images(session: str) -> None:
    rig = human36m_rig(session)
    pixels = rig.world_to_image(_stick())
    assert bool(((pixels > 0) & (pixels < rig.image_size.unsqueeze(-2))).all())
    assert bool((pixels[..., 1].diff(dim=-1) < 0).all())
    assert bool((rig.world_to_camera(_stick())[..., 2] > 0).all())


def test_the_sessions_share_the_lenses_but_not_the_places() -> None:
    first = human36m_rig("S1")
    for session in SESSIONS[1:]:
        other = human36m_rig(session)
        for lens in ("focal", "center", "radial", "tangential", "image_size"):
            assert torch.equal(getattr(first, lens), getattr(other, lens))
        assert not torch.equal(first.position, other.position)
    assert first.convention == "human36m"
    assert first.focal.dtype == torch.float32


def test_an_unknown_session_raises_and_names_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"no Human3\.6M session 'S2'; there are S1, S5, S6, S7, S8, S9, S11"
    ):
        human36m_rig("S2")


def test_the_same_seed_gives_the_same_random_cameras_and_another_seed_others() -> None:
    first, again, other = random_rig(5, seed=3), random_rig(5, seed=3), random_rig(5, seed=4)
    for name in ("focal", "rotation", "position"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_random_cameras_leave_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    random_rig(5, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_random_cameras_keep_to_their_ranges() -> None:
    rig = random_rig(200, seed=0, distance=(3.0, 4.0), height=(1.0, 2.0), focal=(0.9, 1.1))
    distance = rig.position[:, :2].norm(dim=-1)
    assert 3 - 1e-5 <= distance.min() < 3.1 < 3.9 < distance.max() <= 4 + 1e-5
    assert 1 <= rig.position[:, 2].min() < 1.1 < 1.9 < rig.position[:, 2].max() <= 2
    assert 900 <= rig.focal.min() < 920 < 1080 < rig.focal.max() <= 1100.1
    assert torch.equal(rig.radial, torch.zeros(200, 3))
    assert torch.equal(rig.tangential, torch.zeros(200, 2))


def test_random_cameras_are_upright_and_see_the_point_a_metre_above_the_origin_in_their_centre() -> None:
    rig = random_rig(50, seed=1)
    _assert_rotations(rig.rotation)
    pixels = rig.world_to_image(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.2]]))
    torch.testing.assert_close(pixels[:, 0], rig.center, rtol=0, atol=1e-2)
    assert bool((pixels[:, 1, 1] < pixels[:, 0, 1]).all())
    torch.testing.assert_close(pixels[:, 1, 0], rig.center[:, 0], rtol=0, atol=1e-2)


def test_looking_along_the_worlds_x_axis_right_is_minus_y_and_down_is_minus_z() -> None:
    rotation = look_at(torch.zeros(3), torch.tensor([2.0, 0.0, 0.0]))
    expected = torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(rotation, expected)
