"""Up and the floor, found from motion that cameras of known tilt filmed."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spgnet.geometry.camera import UPRIGHT, opencv_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.floor import (
    ANKLE_HEIGHT,
    align_to_gravity,
    concatenate_people,
    estimate_up,
    place_on_floor,
)
from spgnet.lifting.motion import Motion
from spgnet.lifting.postprocess import postprocess
from spgnet.synthetic.procedural import procedural_clips

ANKLES = [3, 6]
CLIPS = {clip.action: clip for clip in procedural_clips(8, seed=2, seconds=8.0)}
CAMERA = opencv_camera([[1000, 0, 500], [0, 1000, 500], [0, 0, 1]], None, (1000, 1000))


def turn(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """World-to-camera rotation of a camera that looks down by a pitch and is rolled, in degrees."""

    def about(axis: int, degrees: float) -> np.ndarray:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        matrix = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        matrix[[first, second], [first, second]] = cos
        matrix[first, second], matrix[second, first] = -sin, sin
        return matrix

    return about(2, roll) @ about(0, pitch) @ np.array(UPRIGHT) @ about(2, yaw)


def filmed(action: str, pitch: float, roll: float, yaw: float = 30, noise: float = 0) -> Motion:
    """A clip seen from 4.5 m away by a camera that knows nothing of its place."""
    world = CLIPS[action].joints.numpy().astype(np.float64)
    rotation = turn(pitch, roll, yaw)
    joints = (world - world[:, :1].mean(axis=0)) @ rotation.T + [0, 0, 4.5]
    joints = joints + np.random.default_rng(0).normal(size=joints.shape) * noise
    ones = np.ones(joints.shape[:2], np.float32)
    time = np.arange(len(joints)) / 50
    pixels = np.zeros((*ones.shape, 2), np.float32)
    return Motion(joints.astype(np.float32), ones, pixels, time, CAMERA, "a test")


def degrees_off(motion: Motion, pitch: float, roll: float) -> float:
    return math.degrees(math.acos(min(1.0, float(estimate_up(motion) @ turn(pitch, roll, 0)[:, 2]))))


def upright_body() -> dict[str, list[float]]:
    """World positions of the joints of somebody who stands straight, in metres."""
    heights = {"pelvis": 0.9, "spine": 1.15, "thorax": 1.4, "nose": 1.55, "head_top": 1.7}
    sides = {"hip": 0.9, "knee": 0.5, "ankle": 0.1, "shoulder": 1.4, "elbow": 1.1, "wrist": 0.85}
    joints = {name: [0.0, 0.0, height] for name, height in heights.items()}
    for side, x in (("left", 0.1), ("right", -0.1)):
        joints |= {f"{side}_{name}": [x, 0.0, height] for name, height in sides.items()}
    return joints


def still(body: dict[str, list[float]], frames: int, pitch: float = 0, roll: float = 0) -> Motion:
    """A body that does not move, seen by a camera of some pitch and roll in degrees."""
    world = np.array([body[name] for name in HUMAN36M.names])
    joints = (world - world[0]) @ turn(pitch, roll, 0).T + [0, 0, 4.5]
    ones = np.ones((frames, 17), np.float32)
    return Motion(
        np.repeat(joints[None], frames, axis=0).astype(np.float32),
        ones,
        np.zeros((frames, 17, 2), np.float32),
        np.arange(frames) / 50,
        CAMERA,
        "a test",
    )


@pytest.mark.parametrize(
    ("sits", "spread"), [pytest.param(False, 4, id="standing"), pytest.param(True, 12, id="sitting")]
)
@pytest.mark.parametrize(("axis", "prior"), [("roll", 6), ("pitch", 20)])
def test_up_is_between_the_bodys_and_the_images_by_their_inverse_variances(sits, spread, axis, prior):
    """Of one frame, in which no foot is known to stand still: a least-squares problem of two directions."""
    body = upright_body()
    if sits:
        body |= {f"{side}_ankle": [x, -0.4, 0.5] for side, x in (("left", 0.1), ("right", -0.1))}
    up = estimate_up(still(body, 1, **{axis: 5.0}))
    angle = math.degrees(math.acos(-up[1]))
    assert angle == pytest.approx(5 * spread**-2 / (spread**-2 + prior**-2), abs=0.02)


@pytest.mark.parametrize(("depth", "below"), [(0.01, 0.01), (0.019, 0.019), (0.03, 0.02), (0.3, 0.02)])
def test_the_floor_follows_joints_more_than_two_centimetres_below_the_stance_positions(depth, below):
    """Up to there they sink in: ``below`` is how far they end below an ankle's height."""
    body = upright_body()
    body["left_wrist"] = [0.4, 0.0, 0.1 - depth]
    world = place_on_floor(still(body, 50)).world
    assert world[:, HUMAN36M.names.index("left_wrist"), 2] == pytest.approx(ANKLE_HEIGHT - below, abs=1e-4)
    assert world[:, ANKLES, 2] == pytest.approx(ANKLE_HEIGHT - below + depth, abs=1e-4)


@pytest.mark.parametrize("roll", [-8, 0, 5])
@pytest.mark.parametrize("pitch", [-15, 0, 25])
def test_walking_shows_where_up_is(pitch, roll):
    assert degrees_off(filmed("walk", pitch, roll), pitch, roll) < 1
    assert degrees_off(filmed("walk", pitch, roll, noise=0.02), pitch, roll) < 3


@pytest.mark.parametrize("pitch", [-10, 0, 20])
@pytest.mark.parametrize("action", ["squat", "sit", "bend"])
def test_standing_upright_now_and_then_shows_it_within_some_degrees(action, pitch):
    assert degrees_off(filmed(action, pitch, 3), pitch, 3) < 8


def test_a_person_who_lies_leaves_the_camera_about_level():
    for pitch in (-10, 0, 20):
        assert degrees_off(filmed("lie", pitch, 0), pitch, 0) < abs(pitch) + 5


@pytest.mark.parametrize("action", list(CLIPS))
def test_one_frame_is_levelled(action):
    whole = filmed(action, 15, 0)
    highest = int(CLIPS[action].joints[:, 10, 2].argmax())
    parts = {
        name: getattr(whole, name)[highest : highest + 1]
        for name in ("joints", "confidence", "pixels", "timestamps")
    }
    one = align_to_gravity(replace(whole, **parts))
    assert np.isfinite(one.world).all()
    if action in ("walk", "sit", "squat"):
        assert degrees_off(one, 15, 0) < 10


@pytest.mark.parametrize("action", list(CLIPS))
def test_levelling_moves_the_camera_alone_and_its_rotation_is_one(action):
    motion = filmed(action, 15, 4, noise=0.01)
    levelled = align_to_gravity(motion)
    assert levelled.joints is motion.joints
    rotation = levelled.camera.rotation.double()
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3).double(), rtol=0, atol=1e-6)
    assert torch.linalg.det(rotation) > 0
    assert torch.equal(levelled.camera.focal, motion.camera.focal)


def test_the_levelled_world_is_the_filmed_one_but_for_where_it_is_and_which_way_it_faces():
    levelled = align_to_gravity(filmed("walk", 20, -5)).world
    truth = CLIPS["walk"].joints.numpy()
    assert np.abs(levelled[..., 2] - truth[..., 2]).max() < 0.05
    np.testing.assert_allclose(levelled[0, 0, :2], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("before", "after"),
    [("calibrated", "calibrated"), ("estimated", "estimated"), ("arbitrary", "estimated")],
)
def test_a_pose_that_was_found_from_the_motion_is_called_estimated(before, after):
    motion = filmed("walk", 10, 0)
    motion = replace(motion, camera=replace(CAMERA, extrinsics=before))
    assert align_to_gravity(motion).camera.extrinsics == "estimated"
    assert place_on_floor(motion).camera.extrinsics == after


def test_the_camera_of_a_levelled_motion_looks_along_y():
    forward = align_to_gravity(filmed("walk", 20, -5)).camera.rotation[2]
    assert abs(forward[0]) < 1e-6
    assert forward[1] > 0.9


@pytest.mark.parametrize("action", ["walk", "squat", "bend", "lie"])
def test_the_feet_stand_on_the_floor(action):
    world = align_to_gravity(filmed(action, 10, 2, noise=0.005)).world
    assert np.percentile(world[..., 2].min(axis=1), 5) == pytest.approx(ANKLE_HEIGHT, abs=0.05)
    if action != "lie":
        assert np.percentile(world[:, ANKLES, 2].min(axis=1), 10) == pytest.approx(ANKLE_HEIGHT, abs=0.03)


def test_placing_on_the_floor_keeps_rotation_and_horizontal_position():
    rotation = torch.from_numpy(turn(20, 3, 40)).float()
    camera = replace(CAMERA, rotation=rotation, position=torch.tensor([3.0, -2.0, 0.4]))
    placed = place_on_floor(replace(filmed("walk", 20, 3, yaw=40), camera=camera))
    assert torch.equal(placed.camera.rotation, rotation)
    assert placed.camera.position[:2].tolist() == [3, -2]
    truth = CLIPS["walk"].joints.numpy()
    assert np.abs(placed.world[..., 2] - truth[..., 2]).max() < 0.03
    again = place_on_floor(placed)
    torch.testing.assert_close(again.camera.position, placed.camera.position, rtol=0, atol=1e-6)


def joined(seen: Motion, joints: np.ndarray, confidence: np.ndarray) -> Motion:
    """A motion that goes on with other joints."""
    together = np.concatenate((seen.joints, joints.astype(np.float32)))
    return replace(
        seen,
        joints=together,
        confidence=np.concatenate((seen.confidence, confidence.astype(np.float32))),
        pixels=np.zeros((*together.shape[:2], 2), np.float32),
        timestamps=np.arange(len(together)) / 50,
    )


@pytest.mark.parametrize("action", ["walk", "squat"])
@pytest.mark.parametrize("frames", [250, 5000])
def test_absence_moves_neither_up_nor_the_floor(action, frames):
    seen = filmed(action, 10, 2)
    leaning = (seen.joints[-1] - seen.joints[-1, 0]) @ turn(60, 20, 0).T @ turn(30, 10, 0) + [0, 0.4, 5.5]
    absent = joined(seen, np.repeat(leaning[None], frames, axis=0), np.zeros((frames, 17)))
    np.testing.assert_allclose(estimate_up(absent), estimate_up(seen), atol=1e-4)
    floor = float(align_to_gravity(seen).camera.position[2])
    assert float(align_to_gravity(absent).camera.position[2]) == pytest.approx(floor, abs=1e-3)
    present = replace(absent, confidence=np.ones_like(absent.confidence))
    assert align_to_gravity(present).camera.position[2] > floor + 0.1  # a hundred times what is allowed above


def test_the_guess_for_somebody_absent_does_not_stand_in_for_an_upright_body():
    lying, frames = filmed("lie", 0, 0), 250
    upright = filmed("walk", 20, 20).joints[:1] * np.float32(0.9)
    guess = np.repeat(upright, frames, axis=0)
    absent = joined(lying, guess, np.zeros((frames, 17)))
    np.testing.assert_allclose(estimate_up(absent), estimate_up(lying), atol=1e-3)
    assert degrees_off(joined(lying, guess, np.ones((frames, 17))), 0, 0) > degrees_off(lying, 0, 0) + 5


def test_guessed_ankles_move_neither_up_nor_the_floor_where_others_were_seen():
    seen = filmed("walk", 10, 2)
    guessed, confidence = seen.joints.copy(), seen.confidence.copy()
    confidence[100:200, ANKLES] = 0
    guessed[100:200, ANKLES] = guessed[100, ANKLES] + np.float32([0, 0.5, 0.3])
    hidden = replace(seen, joints=guessed, confidence=confidence)
    assert degrees_off(hidden, 10, 2) < 1
    floor = float(align_to_gravity(hidden).camera.position[2])
    assert floor == pytest.approx(float(align_to_gravity(seen).camera.position[2]), abs=0.01)
    assert align_to_gravity(replace(hidden, confidence=seen.confidence)).camera.position[2] > floor + 0.3


@pytest.mark.parametrize("unseen", [[10], [*ANKLES, 10], list(range(17))], ids=["head", "ends", "all"])
def test_joints_that_were_never_seen_count_as_all_there_is(unseen):
    seen = filmed("walk", 10, 2)
    confidence = seen.confidence.copy()
    confidence[:, unseen] = 0
    guessed = replace(seen, confidence=confidence)
    np.testing.assert_allclose(estimate_up(guessed), estimate_up(seen), atol=1e-3)
    np.testing.assert_allclose(
        align_to_gravity(guessed).camera.position, align_to_gravity(seen).camera.position, atol=1e-2
    )


def test_steps_that_are_not_on_the_floor_are_outvoted():
    motion = filmed("walk", 0, 0)
    jumped = motion.joints.copy()
    jumped[200:240, :, 1] -= 0.5  # up in the image, as when a detector slips
    assert degrees_off(replace(motion, joints=jumped), 0, 0) < 2


def test_the_common_floor_of_people_leaves_what_is_known_of_their_joints_alone():
    walking, sitting = (filmed(action, 12, 3) for action in list(CLIPS)[:2])
    uncertainty = np.linspace(0.01, 0.2, len(walking) * 17, dtype=np.float32).reshape(-1, 17)
    unsure = replace(walking, uncertainty=uncertainty, rejected=uncertainty > 0.1)
    for first, second in ((unsure, sitting), (sitting, unsure)):
        aligned = postprocess([first, second], constant_bones=True)
        for one, before in zip(aligned, (first, second), strict=True):
            assert one.camera.extrinsics == "estimated"
            assert one.uncertainty is before.uncertainty
            assert one.rejected is before.rejected


def test_people_one_after_another_have_the_frame_rate_of_each():
    walking = filmed("walk", 12, 3)
    short = replace(
        walking,
        **{name: getattr(walking, name)[:60] for name in ("joints", "confidence", "pixels", "timestamps")},
    )
    together = concatenate_people([short] * 3)
    assert len(together) == 180
    assert together.fps == pytest.approx(50)


def test_people_may_have_frames_of_their_own():
    walking, sitting = (filmed(action, 12, 3) for action in list(CLIPS)[:2])
    brief = replace(
        walking,
        **{name: getattr(walking, name)[:40] for name in ("joints", "confidence", "pixels", "timestamps")},
    )
    early = replace(sitting, timestamps=sitting.timestamps - 7)
    aligned = postprocess([brief, sitting, early, brief])
    assert [len(one) for one in aligned] == [40, len(sitting), len(sitting), 40]
    np.testing.assert_array_equal(aligned[2].timestamps, early.timestamps)
