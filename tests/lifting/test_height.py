"""The person's height."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.bone_lengths import estimate_height, scale_to_height
from spgnet.lifting.motion import Motion
from spgnet.synthetic.articulation import bone_vectors
from spgnet.synthetic.procedural import procedural_clips

AHEAD = np.array([0, 0, 4], np.float32)
TO_CAMERA = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)


def motion_from_poses(joints: torch.Tensor) -> Motion:
    """World joints seen by a level camera 4 m away."""
    seen = joints.float().numpy() @ TO_CAMERA.T + AHEAD
    ones = np.ones(seen.shape[:2], np.float32)
    camera = opencv_camera([[1000, 0, 500], [0, 1000, 500], [0, 0, 1]], None, (1000, 1000))
    return Motion(seen, ones, np.zeros((*ones.shape, 2), np.float32), np.arange(len(seen)) / 50, camera, "x")


def motions() -> list[Motion]:
    """A motion for each procedural action."""
    return [motion_from_poses(clip.joints) for clip in procedural_clips(7, seed=4, seconds=4.0)]


@given(st.floats(1.4, 2.0))
@settings(max_examples=10)
def test_the_height_is_that_of_the_body_within_a_percent(height):
    body = bone_vectors(torch.ones(1, 17, dtype=torch.float64), torch.tensor([[height]]).double())
    assert estimate_height(motion_from_poses(standing(body[0])[None])) == pytest.approx(height, rel=0.01)


def standing(offsets: torch.Tensor) -> torch.Tensor:
    """Joints of a body at zero angles."""
    places = [offsets[0]]
    for parent, child in HUMAN36M.bones:
        places.append(places[parent] + offsets[child])
    return torch.stack(places)


def test_the_height_does_not_depend_on_the_pose():
    walks, squats = motions()[0], motions()[2]
    for motion in (walks, squats):
        parts = {name: getattr(motion, name) for name in ("joints", "confidence", "pixels", "timestamps")}
        frames = [
            replace(motion, **{key: value[i : i + 20] for key, value in parts.items()}) for i in (0, 90)
        ]
        assert estimate_height(frames[0]) == pytest.approx(estimate_height(frames[1]), rel=0.01)


def test_frames_without_the_person_do_not_change_their_height():
    motion = motions()[0]
    small, frames = np.concatenate((motion.joints, motion.joints * 0.7, motion.joints * 0.7)), len(motion)
    absent = replace(
        motion,
        joints=small,
        confidence=np.repeat(np.float32([1, 0, 0]), frames)[:, None] * np.ones(17, np.float32),
        pixels=np.zeros((*small.shape[:2], 2), np.float32),
        timestamps=np.arange(3 * frames) / 50,
    )
    assert estimate_height(absent) == pytest.approx(estimate_height(motion), rel=0.005)


@pytest.mark.parametrize("height", [1.2, 1.85])
def test_a_scaled_person_has_that_height_whatever_they_do(height):
    for motion in motions():
        assert estimate_height(scale_to_height(motion, height)) == pytest.approx(height, rel=1e-5)


def test_scaling_keeps_every_joint_on_its_ray_and_all_else():
    motion = motions()[0]
    scaled = scale_to_height(motion, 1.5)
    seen = motion.camera.camera_to_image(torch.from_numpy(motion.joints))
    torch.testing.assert_close(
        motion.camera.camera_to_image(torch.from_numpy(scaled.joints)), seen, rtol=0, atol=1e-2
    )
    kept = [field.name for field in fields(Motion) if field.name != "joints"]
    assert all(getattr(scaled, name) is getattr(motion, name) for name in kept)


def test_scaling_scales_the_uncertainty_like_the_motion():
    motion = motions()[0]
    uncertainty = np.linspace(0.01, 0.3, len(motion) * 17, dtype=np.float32).reshape(-1, 17)
    scaled = scale_to_height(replace(motion, uncertainty=uncertainty), 1.5)
    factor = float(scaled.joints[0, 0, 2] / motion.joints[0, 0, 2])
    assert factor < 0.95
    np.testing.assert_allclose(scaled.uncertainty, factor * uncertainty, rtol=1e-5)


def test_scaling_to_the_estimate_changes_nothing():
    motion = motions()[0]
    np.testing.assert_allclose(
        scale_to_height(motion, estimate_height(motion)).joints, motion.joints, rtol=1e-5
    )


@pytest.mark.parametrize("height", [0.3, 3.0, 180.0, float("nan")])
def test_impossible_heights_are_refused(height):
    with pytest.raises(ValueError, match=r"between 0\.5 and 2\.5 metres"):
        scale_to_height(motions()[0], height)
