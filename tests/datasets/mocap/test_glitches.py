"""Poses before the motion, and jumps in it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spgnet.datasets.mocap.glitches import find_jump, lead_in_frames
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.procedural import procedural_clips

CLIPS = procedural_clips(16, seed=5, seconds=2.0)
ARMS = {
    side: [HUMAN36M.names.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist")]
    for side in ("left", "right")
}


def t_pose(pose: np.ndarray) -> np.ndarray:
    """The pose with arms held out straight."""
    pose = pose.copy()
    across = pose[ARMS["left"][0]] - pose[ARMS["right"][0]]
    across /= np.linalg.norm(across)
    for side, sign in (("left", 1), ("right", -1)):
        shoulder, elbow, wrist = ARMS[side]
        pose[elbow] = pose[shoulder] + sign * 0.28 * across
        pose[wrist] = pose[elbow] + sign * 0.26 * across
    return pose


def after_t_pose(motion: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The motion, and before it frames that are these shares of the way to it from a T-pose."""
    rest = t_pose(motion[0])
    return np.concatenate((rest + shares[:, None, None] * (motion[0] - rest), motion))


@pytest.mark.parametrize("frames", [1, 2, 4, 7, 10])
@pytest.mark.parametrize(
    "number", [0, 1, 4]
)  # people who walk, sit and bend; others begin faster than a blend
def test_a_blend_from_a_t_pose_to_the_motion_is_left_out_and_nothing_else(number, frames):
    motion = CLIPS[number].joints.numpy()
    blended = after_t_pose(motion, np.arange(frames) / frames)
    assert lead_in_frames(blended) == frames
    assert lead_in_frames(motion) == 0


def test_somebody_who_lowers_their_arms_at_the_start_moves():
    motion = CLIPS[0].joints.numpy()
    for seconds in (0.3, 0.6, 1.0):
        time = np.arange(round(seconds * 50)) / round(seconds * 50)
        assert lead_in_frames(after_t_pose(motion, 0.5 - 0.5 * np.cos(np.pi * time))) == 0


def test_somebody_who_stands_in_a_t_pose_stays():
    held = np.repeat(t_pose(CLIPS[0].joints.numpy()[0])[None], 60, axis=0)
    assert lead_in_frames(held) == 0


def test_generated_and_fast_motion_has_no_lead_in_and_no_jump():
    for clip in CLIPS:
        assert lead_in_frames(clip.joints.numpy()) == 0
        assert find_jump(clip) is None


def test_a_jump_is_named_with_its_joint_frame_and_speed():
    clip = CLIPS[0]
    joints = clip.joints.clone()
    joints[30:, 13] += torch.tensor([2.7, 0.0, 0.0])
    found = find_jump(replace(clip, joints=joints))
    assert found is not None
    assert found.startswith(f"{clip.name}: left_wrist moves 2.6")
    assert "from frame 29 to the next (13" in found
    joints = clip.joints.clone()
    joints[30:] += torch.tensor([0.8, 0.0, 0.0])  # the pelvis is slower than a fist
    found = find_jump(replace(clip, joints=joints))
    assert found is not None
    assert "pelvis moves 0.7" in found


def test_a_clip_of_one_frame_has_no_jump():
    assert find_jump(replace(CLIPS[0], joints=CLIPS[0].joints[:1])) is None
