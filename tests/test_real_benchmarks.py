"""The benchmarks on real video measure what they say: laws on made-up motion, and a run where data is."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lifting.people import camera, filmed, lifter
from spgnet.data.config import DataConfig
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints
from spgnet.lifting import Motion
from spgnet.lifting.streaming import lift_live
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training.recipes import RECIPES

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
law = settings(max_examples=20)
seeds = st.integers(0, 2**31)


def script(name: str) -> ModuleType:
    """A benchmark as a module; they import each other as scripts of one folder do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(BENCHMARKS), str(BENCHMARKS.parent / "scripts"), *sys.path])
        return importlib.import_module(name)


real_video, two_cameras = script("real_video"), script("two_cameras")


# --- ship_weights -------------------------------------------------------------------------------


def test_the_command_of_a_run_names_no_place():
    config = replace(RECIPES["randomized"], data=DataConfig(motion=Path("/some/motion"), input="randomized"))
    words = [
        "spgnet",
        "train",
        "randomized",
        "--out",
        "/some/run",
        "--data.motion",
        "/some/motion",
        "--seed",
        "3",
    ]
    command = script("ship_weights").command_of(words, config)
    assert command == "spgnet train randomized --data.motion MOTION --seed 3"


# --- randomization_ablation ------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["first generation", "now"])
def test_every_variant_of_the_recipe_differs_from_it_in_its_own_way(recipe):
    ablation = script("randomization_ablation")
    first = recipe == "first generation"
    whole = ablation.first_generation() if first else RECIPES["randomized"]
    base, *others = (ablation.variants if first else ablation.variants_now)(whole).values()
    assert base == whole
    assert all(other != base for other in others)
    assert all(one != two for index, one in enumerate(others) for two in others[:index])


# --- real_video: live ---------------------------------------------------------------------------


def options(**values):
    return real_video.Options(Path(), **values)


@pytest.fixture
def walk() -> Keypoints:
    """The keypoints of a walk."""
    return filmed(40)[0]


def joints_of(poses) -> np.ndarray:
    return np.stack([pose.joints for pose in poses])


@pytest.mark.parametrize("causal", [True, False])
def test_a_live_clip_has_the_pose_of_every_frame_whatever_the_look_ahead(walk, causal):
    network = lifter((3, 3), causal=causal)
    live = real_video.lifted(walk, network, options(live=True))["live"]
    np.testing.assert_allclose(live, joints_of(lift_live(network, walk)), atol=1e-5)


def test_between_the_frames_used_the_last_live_pose_stays(walk):
    network = lifter((3, 3), causal=True)
    live = real_video.lifted(walk, network, options(live=True, every=3))["live"]
    poses = joints_of(lift_live(network, walk.frames(slice(None, None, 3))))
    np.testing.assert_allclose(live, np.repeat(poses, 3, axis=0)[:40], atol=1e-5)
    assert np.abs(live[3] - live[2]).max() > 1e-4


def test_before_anybody_is_seen_the_first_live_pose_stands_in(walk):
    walk.points[:5, :, 2] = 0
    network = lifter((3, 3), causal=True)
    joints = real_video.live_joints(walk, network, options(live=True))
    assert len(joints) == 40
    np.testing.assert_array_equal(joints[:5], np.repeat(joints[5:6], 5, axis=0))
    assert np.abs(joints[6] - joints[5]).max() > 1e-5


def test_no_live_pose_depends_on_later_frames(walk):
    later = walk.points.copy()
    later[20:, :, 0] += 50
    network, moved = lifter((3, 3), causal=True), replace(walk, points=later)
    before, after = (
        real_video.live_joints(each, network, options(live=True, every=2)) for each in (walk, moved)
    )
    np.testing.assert_array_equal(before[:20], after[:20])
    assert np.abs(before[20:] - after[20:]).max() > 1e-3


def test_every_way_of_lifting_is_measured_and_the_keypoints_stay(walk):
    before = walk.points.copy()
    ways = ("network", "constant-bones", "refined")
    found = real_video.lifted(walk, lifter((3, 3)), options(every=2, lifting=ways))
    assert tuple(found) == ways
    assert all(joints.shape == (40, 17, 3) for joints in found.values())
    lengths = {
        way: HUMAN36M.bone_lengths(torch.from_numpy(joints)).std(dim=0) for way, joints in found.items()
    }
    assert lengths["network"].max() > 1e-3 > 1e-5 > max(lengths[way].max() for way in ways[1:])
    np.testing.assert_array_equal(walk.points, before)


def test_reprojection_is_the_median_distance_from_the_detections_in_pixels(walk):
    keypoints = replace(walk, camera_matrix=np.array([[900.0, 0, 360], [0, 900, 640], [0, 0, 1]]))
    rays = (keypoints.points[..., :2] - [360, 640]) / 900
    joints = 4 * np.concatenate((rays, np.ones((40, 17, 1))), axis=-1)
    assert real_video.reprojection(joints.astype(np.float32), keypoints) < 1e-3
    joints[..., 0] += 4 * 7 / 900
    assert real_video.reprojection(joints.astype(np.float32), keypoints) == pytest.approx(7, abs=1e-3)


# --- real_video: means --------------------------------------------------------------------------


def test_means_are_those_of_each_method_over_the_clips_that_have_the_value():
    rows = [
        ("squat", "ours", [1.0, 5.0]),
        ("squat", "theirs", [10.0, None]),
        ("walk", "ours", [3.0, 6.0]),
        ("walk", "theirs", [30.0, None]),
    ]
    assert real_video.means(rows) == [
        ("mean over clips", "ours", [2.0, 5.5]),
        ("mean over clips", "theirs", [20.0, None]),
    ]
    assert real_video.means(rows[:2]) == []


# --- two_cameras: agreement ---------------------------------------------------------------------


def walk_in_world(seed: int = 0) -> np.ndarray:
    joints = torch.from_numpy(filmed(20, seed=seed)[1])
    return camera().camera_to_world(joints).numpy().astype(np.float64)


def turned(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random rotation and translation."""
    generator = np.random.default_rng(seed)
    quaternion = torch.nn.functional.normalize(torch.from_numpy(generator.standard_normal(4)), dim=0)
    return roma.unitquat_to_rotmat(quaternion).numpy(), generator.uniform(-3, 3, 3)


@given(seeds)
@law
def test_two_views_of_one_motion_agree_in_the_world(seed):
    """Each camera has the motion in its own frame; the calibrations bring both back."""
    world, (rotation, position) = walk_in_world(), turned(seed)
    other = opencv_camera(np.eye(3), None, (720, 1280), rotation=rotation, position=position)
    motions = []
    for lens in (camera(), other):
        seen = lens.world_to_camera(torch.from_numpy(world).float()).numpy()
        shape = seen.shape[:2]
        pixels = np.zeros((*shape, 2), np.float32)
        motions.append(Motion(seen, np.ones(shape, np.float32), pixels, np.arange(20) / 30, lens, "known"))
    first, second = (motion.world.astype(np.float64) for motion in motions)
    assert max(two_cameras.agreement(first, second)) < 0.01


@given(seeds)
@law
def test_a_rotation_of_the_whole_clip_is_undone_where_clips_are_aligned(seed):
    world, (rotation, shift) = walk_in_world(), turned(seed)
    pose, clip, roots, placed = two_cameras.agreement(world, world @ rotation.T + shift)
    assert max(pose, clip) < 1e-6
    assert min(roots, placed) > 1


def test_every_alignment_undoes_what_it_says_and_no_more():
    world = walk_in_world()
    turns = np.stack([turned(seed)[0] for seed in range(len(world))])
    pose, clip, _, _ = two_cameras.agreement(world, np.einsum("fjx,fyx->fjy", world, turns))
    assert pose < 1e-6
    assert clip > 10
    pose, clip, _, _ = two_cameras.agreement(world, 1.1 * world)
    assert pose < 1e-6
    assert clip > 10
    steps = np.linspace(0, 0.5, len(world))[:, None, None] * np.array([1.0, 0, 0])
    pose, clip, roots, placed = two_cameras.agreement(world, world + steps)
    assert max(pose, roots) < 1e-6
    assert clip > 10
    assert placed == pytest.approx(250)


def test_a_mirrored_motion_is_not_aligned_away():
    world = walk_in_world()
    assert min(two_cameras.agreement(world, world * [-1.0, 1, 1])) > 10


# --- two_cameras: frames and joints -------------------------------------------------------------


def test_the_limbs_of_body_25b_are_the_scored_joints():
    indices = {"shoulder": (5, 6), "elbow": (7, 8), "wrist": (9, 10)}
    indices |= {"hip": (11, 12), "knee": (13, 14), "ankle": (15, 16)}
    joints = np.broadcast_to(np.arange(25.0)[None, :, None], (4, 25, 3))
    picked = two_cameras.body25b_limbs(joints)[0, :, 0]
    for name, index in zip(real_video.SCORED, picked, strict=True):
        side, part = name.split("_")
        assert index == indices[part][side == "right"]


def coco(points: np.ndarray) -> Keypoints:
    return Keypoints(points, "coco17", np.arange(len(points)) / 60, (1088, 1920))


@pytest.mark.parametrize("lag", [-3, 0, 1, 8])
def test_the_lag_is_found_under_an_offset_and_jitter(lag):
    generator = np.random.default_rng(0)
    path = 500 + generator.normal(0, 3, (80, 17, 2)).cumsum(axis=0)
    points = np.concatenate((path, np.ones((80, 17, 1))), axis=-1)
    video, other = points[10 - lag : 70 - lag].copy(), points[10:70].copy()
    video[..., :2] += np.array([12.0, -7.0]) + generator.normal(0, 2, (60, 17, 2))
    video[5, :, :] = 0
    assert two_cameras.best_lag([coco(video)], [coco(other)]) == lag
    late, early = two_cameras.at_lag(video, other, lag)
    assert len(late) == len(early) == 60 - abs(lag)


@pytest.mark.parametrize("lag", [-2, 0, 1])
def test_a_motion_that_is_late_is_measured_at_the_right_frames(lag):
    world = walk_in_world()
    truth = world[:, real_video.OURS]
    late, early = two_cameras.at_lag(np.roll(world, lag, axis=0), truth, lag)
    np.testing.assert_array_equal(late[:, real_video.OURS], early)
    assert two_cameras.against(np.roll(world, lag, axis=0), truth, lag) < 1e-6
    assert two_cameras.against(np.roll(world, lag, axis=0), truth, lag + 1) > 1


def test_the_two_cameras_of_the_recordings_see_about_the_same_motion(real_detections, capsys):
    video = real_detections.parent / "video"
    if not (video / "pose2sim_calibration.toml").is_file():
        pytest.skip("the calibration (shared/video) is not beside this checkout")
    two_cameras.main(two_cameras.Options(video, real_detections, weights=("live",), detections="openpose"))
    heading, _, *rows = capsys.readouterr().out.strip().splitlines()
    assert [row.split("|")[2].strip() for row in rows] == ["network", "refined"]
    for row in rows:
        values = dict(zip(heading.split("|")[3:-1], map(float, row.split("|")[3:-1]), strict=True))
        assert len(values) == len(two_cameras.HEADINGS)
        assert all(value < 120 for name, value in values.items() if "P-MPJPE" in name)


# --- movements ----------------------------------------------------------------------------------


def test_a_rolled_video_is_the_same_scene_in_a_rolled_camera():
    movements = script("movements")
    level = movements.videos(procedural_clips(2, seed=1, seconds=2.0), 10)
    rolled = movements.rolled(level, 90)
    torch.testing.assert_close(rolled.joints[..., 0], -level.joints[..., 1], atol=1e-5, rtol=0)
    exact = [
        each.cameras[each.sequence_of_frames()].camera_to_image(each.joints) - each.keypoints_2d
        for each in (level, rolled)
    ]
    torch.testing.assert_close(exact[0].norm(dim=-1), exact[1].norm(dim=-1), atol=1e-2, rtol=1e-3)


def test_kinds_of_movement_are_told_by_the_names_of_clips():
    movements = script("movements")
    (clip,) = procedural_clips(1, seed=1, seconds=1.0)
    named = [
        replace(clip, name=name) for name in ("m01/s02_e01", "m01i/s02_e01", "m10/s02_e01", "bd/squat1Reps_1")
    ]
    chosen = movements.matching(named, movements.UIPRMD["UI-PRMD, sitting and squatting"])
    assert [each.name for each in chosen] == ["m01/s02_e01", "m01i/s02_e01"]
    assert len(movements.matching(named, movements.HDM05["HDM05, floor and squats"])) == 1
