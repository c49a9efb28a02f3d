"""Feet that stand are held in place."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from lifting.people import camera, filmed, true_motion
from spgnet.geometry.foot import ANKLES, FOOT_JOINTS, SIDES, foot_points
from spgnet.geometry.skeleton import FEET23, HUMAN36M
from spgnet.lifting import Motion
from spgnet.lifting.planting import plant_feet

LEGS = [HUMAN36M.names.index(f"{side}_{joint}") for side in SIDES for joint in ("knee", "ankle")]
SPEED = 0.15
"""In metres per second, at which both feet slide."""


@cache
def slider(height: float = 0.0, frames: int = 60) -> Motion:
    """Somebody who stands with bent knees and slides over the floor, to and fro, or so high above it."""
    keypoints, joints = filmed(frames)
    up, ahead = torch.tensor([0, 0, 1.0]), torch.tensor([0, -1.0, 0])
    world = camera().camera_to_world(torch.from_numpy(joints))[:1].repeat(frames, 1, 1)
    world[:, :, 2] -= 0.1
    feet = []
    for foot, side in enumerate(SIDES):
        hip, knee, ankle = (HUMAN36M.names.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
        world[:, ankle, :2] = world[:, hip, :2]
        world[:, ankle, 2] = 0.08
        world[:, knee] = (world[:, hip] + world[:, ankle]) / 2 + 0.12 * ahead
        axes = torch.stack((ahead, up, torch.linalg.cross(ahead, up)))
        feet.append(world[:, ankle, None] + foot_points()[foot].float() @ axes)
    world = torch.cat((world, *feet), dim=1)
    time = torch.arange(frames) / 30
    world += (SPEED * torch.sin(6 * time) / 6)[:, None, None] * torch.tensor([1.0, 0, 0]) + height * up
    motion = true_motion(keypoints, joints)
    return replace(
        motion,
        joints=camera().world_to_camera(world).numpy(),
        confidence=np.pad(motion.confidence, ((0, 0), (0, 6))),
        pixels=np.pad(motion.pixels, ((0, 0), (0, 6), (0, 0))),
        camera=replace(camera(), extrinsics="estimated"),
    )


def speed(motion: Motion) -> float:
    """The largest of heels and toes in metres per second, but for the ends of the clip."""
    feet = motion.world[:, [joint for side in SIDES for joint in FOOT_JOINTS[side]]]
    ways = np.linalg.norm(np.diff(feet, axis=0), axis=-1)
    return float((ways * 30).max())


def knees(motion: Motion) -> np.ndarray:
    """How far each knee is in front of the line from hip to ankle, in metres."""
    names, world = HUMAN36M.names, motion.world
    ends = [world[:, [names.index(f"{side}_{end}") for side in SIDES]] for end in ("hip", "knee", "ankle")]
    return ((ends[0] + ends[2]) / 2 - ends[1])[..., 1]


def test_feet_that_slide_on_the_floor_stand_still():
    assert speed(slider()) > 0.9 * SPEED
    assert speed(plant_feet(slider())) < 0.25 * SPEED


def test_bones_and_feet_keep_their_lengths_and_all_but_the_legs_their_places():
    motion, planted = slider(), plant_feet(slider())
    lengths = [FEET23.bone_lengths(torch.from_numpy(each.joints)) for each in (planted, motion)]
    torch.testing.assert_close(*lengths, atol=1e-5, rtol=0)
    others = [joint for joint in range(17) if joint not in LEGS]
    np.testing.assert_array_equal(planted.joints[:, others], motion.joints[:, others])
    for side in SIDES:
        one, same = (
            each.joints[:, list(FOOT_JOINTS[side])] - each.joints[:, [ANKLES[side]]]
            for each in (planted, motion)
        )
        np.testing.assert_allclose(one, same, atol=1e-6)


def test_knees_bend_the_same_way():
    assert (knees(plant_feet(slider())) > 0.05).all()


def test_a_leg_that_cannot_reach_its_place_is_straight_and_no_longer():
    motion = slider()
    joints = motion.joints.copy()
    hips = [HUMAN36M.names.index(f"{side}_hip") for side in SIDES]
    ankles = [ANKLES[side] for side in SIDES]
    middle = (joints[:, hips] + joints[:, ankles]) / 2
    joints[:, [HUMAN36M.names.index(f"{side}_knee") for side in SIDES]] = middle
    planted = plant_feet(replace(motion, joints=joints))
    assert np.isfinite(planted.joints).all()
    lengths = [
        HUMAN36M.bone_lengths(torch.from_numpy(each)) for each in (planted.joints[:, :17], joints[:, :17])
    ]
    torch.testing.assert_close(*lengths, atol=1e-5, rtol=0)


def test_motion_without_contact_a_floor_or_feet_stays_to_the_bit():
    jumping = slider(0.5)
    np.testing.assert_array_equal(plant_feet(jumping).joints, jumping.joints)
    moving = slider()
    assert plant_feet(moving.without_feet()).joints.shape[1] == 17
    nowhere = replace(moving, camera=replace(moving.camera, extrinsics="arbitrary"))
    np.testing.assert_array_equal(plant_feet(nowhere).joints, nowhere.joints)
