"""Samples for any camera: people stay people, cameras see them, and gaps are marked."""

from dataclasses import fields, replace

import pytest
import torch

from spgnet.data.input_space import project_to_input_space
from spgnet.data.samples import RandomizedSampler, randomized_dataset
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.gaps import fill_gaps
from spgnet.synthetic.detector_joints import detector_joints, trunk_axes
from spgnet.synthetic.detector_noise import person_size
from spgnet.synthetic.domain_randomization import (
    REALISTIC,
    DomainRandomization,
    change_body,
    place_random_cameras,
    simulate_detector,
    swap_upper_body,
    tip_people,
)
from spgnet.synthetic.procedural import procedural_clips

CLIPS = procedural_clips(7, seed=0, seconds=2.0)
STILL = DomainRandomization(
    **{field.name: 0.0 for field in fields(DomainRandomization) if field.type == "float"}
)
"""No gaps, no errors that stay, no mixing, no roll; bodies, distances, heights and lenses still vary."""
ONE_BODY = replace(STILL, stature=(1.0, 0.0))


def sampler(
    randomization: DomainRandomization | None = None,
    frames_per_sample: int = 3,
    context: tuple[int, int] = (4, 2),
) -> RandomizedSampler:
    return RandomizedSampler(
        CLIPS, frames_per_sample=frames_per_sample, context=context, randomization=randomization
    )


def test_a_batch_has_the_shapes_that_training_wants():
    torch.manual_seed(0)
    batch = sampler().draw_random(32)
    assert batch.keypoints_2d.shape == (32, 9, 17, 3)
    assert batch.target_2d.shape == (32, 3, 17, 2)
    assert batch.joints.shape == (32, 3, 17, 3)
    assert batch.keypoints_2d.isfinite().all()
    assert set(batch.keypoints_2d[..., 2].unique().tolist()) == {0.0, 1.0}


def test_the_same_seed_draws_the_same_samples():
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(sampler().draw_random(4).keypoints_2d)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_the_rays_of_the_output_frames_are_those_of_its_joints():
    torch.manual_seed(0)
    batch = sampler().draw_random(16)
    torch.testing.assert_close(
        project_to_input_space(batch.joints, batch.cameras, batch.input_space), batch.target_2d
    )


def test_without_errors_and_gaps_the_input_is_the_exact_rays():
    torch.manual_seed(0)
    exact = replace(STILL, noise=(0.0, 0.0))
    batch = sampler(exact).draw_random(64)
    inside = batch.keypoints_2d[..., 2].flatten(1).bool().all(dim=1)  # the image may still cut somebody off
    assert inside.sum() > 32
    middle = batch.keypoints_2d[:, 4:7, :, :2]
    swapped = (middle - batch.target_2d).abs().flatten(1).amax(
        dim=1
    ) > 1e-5  # a rare exchange of left and right
    assert (swapped & inside).sum() <= 6


def test_people_are_ahead_of_the_camera_at_the_stated_distances():
    torch.manual_seed(0)
    batch = sampler().draw_random(500)
    assert batch.joints[..., 2].min() > 0.39
    distance = batch.root.norm(dim=-1)
    assert distance.min() > 0.8
    assert distance.max() < 13.5
    assert distance.median() == pytest.approx(4.2, abs=1)


def test_most_people_are_upright_in_the_image():
    torch.manual_seed(0)
    standing = [clip for clip in CLIPS if clip.action in ("walk", "idle")]
    batch = RandomizedSampler(standing, frames_per_sample=1, context=(0, 0)).draw_random(200)
    head, pelvis = batch.joints[:, 0, HUMAN36M.names.index("head_top")], batch.joints[:, 0, 0]
    assert ((head - pelvis)[:, 1] < 0).float().mean() > 0.95


def test_a_body_is_symmetric_and_changes_size_but_not_pose():
    torch.manual_seed(0)
    joints = CLIPS[0].joints[:5].expand(20, -1, -1, -1)
    changed = change_body(joints, DomainRandomization())
    lengths = HUMAN36M.bone_lengths(changed)
    torch.testing.assert_close(lengths, lengths[:, :1].expand_as(lengths))  # the same in all frames
    twins = [HUMAN36M.bone_names.index(HUMAN36M.names[HUMAN36M.mirror[child]]) for _, child in HUMAN36M.bones]
    torch.testing.assert_close(lengths, lengths[..., twins])
    assert (lengths.std(dim=0) / lengths.mean(dim=0)).min() > 0.03
    directions = [
        torch.nn.functional.normalize(j[..., 2, :] - j[..., 1, :], dim=-1) for j in (joints, changed)
    ]
    torch.testing.assert_close(*directions)


def test_bodies_are_alike_whatever_motion_they_come_from():
    larger = CLIPS[0].joints[None, :5] * 1.3
    for joints in (CLIPS[0].joints[None, :5], larger):
        lengths = HUMAN36M.bone_lengths(change_body(joints, ONE_BODY))[0, 0]
        by_name = dict(zip(HUMAN36M.bone_names, lengths.tolist(), strict=True))
        assert by_name["left_knee"] == pytest.approx(0.42)
        assert by_name["right_hip"] == pytest.approx(0.09)


def test_feet_that_stand_stay_on_the_floor_when_the_body_changes():
    walk = next(clip for clip in CLIPS if clip.action == "walk")
    ankles = [HUMAN36M.names.index("left_ankle"), HUMAN36M.names.index("right_ankle")]
    before = walk.joints[None, :, ankles, 2].amin(dim=2)
    after = change_body(walk.joints.unsqueeze(0), ONE_BODY)[:, :, ankles, 2].amin(dim=2)
    assert (after - before).abs().max() < 0.03


def test_mixing_keeps_the_legs_and_every_bone_of_the_upper_body():
    lower, upper = CLIPS[0].joints[None, :20], CLIPS[3].joints[None, :20]
    mixed = swap_upper_body(lower, upper)
    torch.testing.assert_close(mixed[:, :, :7], lower[:, :, :7])
    torch.testing.assert_close(
        HUMAN36M.bone_lengths(mixed)[..., 6:], HUMAN36M.bone_lengths(upper)[..., 6:], atol=1e-5, rtol=1e-5
    )


def test_a_person_mixed_with_themselves_turned_around_is_the_same_person():
    clip = CLIPS[3]
    lower, turned = (
        clip.joints[None, :20],
        clip.rotated(1.9).joints[None, :20] + torch.tensor([3.0, -1.0, 0.2]),
    )
    torch.testing.assert_close(swap_upper_body(lower, turned), lower, atol=1e-5, rtol=1e-5)


def test_mirrored_people_have_their_left_on_the_left():
    """Everybody's nose is ahead of them, where ahead follows from which hip is the left one."""
    torch.manual_seed(0)
    joints = sampler().draw_random(200).joints[:, 0]
    pelvis, right, left, thorax, nose = joints[:, [0, 1, 4, 8, 9]].unbind(dim=1)
    ahead = torch.linalg.cross(left - right, thorax - pelvis)
    head = nose - (joints[:, HUMAN36M.names.index("head_top")] + thorax) / 2
    assert ((ahead * head).sum(dim=-1) > 0).float().mean() > 0.9


@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_a_slower_frame_rate_takes_larger_steps(fps):
    torch.manual_seed(0)
    walks = [clip for clip in CLIPS if clip.action == "walk"]
    plain = replace(ONE_BODY, fps=(fps, fps), speed=(1.0, 1.0))
    joints = (
        RandomizedSampler(walks, frames_per_sample=2, context=(0, 0), randomization=plain, flip=False)
        .draw_random(300)
        .joints
    )
    step = (joints[:, 1] - joints[:, 0]).norm(dim=-1).mean()
    bodies = [change_body(clip.joints.unsqueeze(0), plain)[0] for clip in walks]
    whole = torch.cat(bodies).diff(dim=0).norm(dim=-1).mean()
    assert step / whole == pytest.approx(50 / fps, rel=0.15)


def test_the_image_shows_all_of_most_people_and_the_rest_from_the_head_downwards():
    torch.manual_seed(0)
    walk = next(clip for clip in CLIPS if clip.action == "walk")
    world = change_body(walk.joints[None, :3].expand(600, -1, -1, -1), ONE_BODY)
    ankles, head = [3, 6], HUMAN36M.names.index("head_top")
    for share in (0.0, 1.0):
        seen, half = place_random_cameras(world, replace(DomainRandomization(), truncated=share))
        inside = ((seen[..., :2] / seen[..., 2:]).abs() <= half[:, None, None]).all(dim=-1)[:, 1]
        assert inside[:, head].float().mean() > 0.9
        feet = inside[:, ankles].any(dim=1).float().mean()
        assert feet > 0.97 if share == 0 else 0.02 < feet < 0.5


def test_cameras_that_turn_away_stay_level():
    torch.manual_seed(0)
    up = torch.zeros(300, 2, 17, 3)
    up[:, :, 0, 2], up[:, :, 1, 2] = 1.0, 2.0
    seen, _ = place_random_cameras(up, STILL)
    upward = seen[:, 0, 1] - seen[:, 0, 0]
    assert upward[:, 0].abs().max() < 1e-5  # the vertical has no part across the image's horizontal axis


def test_people_are_all_over_the_image():
    torch.manual_seed(0)
    world = CLIPS[1].joints[None, :4].expand(300, -1, -1, -1)
    seen, half = place_random_cameras(world, replace(STILL, focal=(0.5, 0.6)))
    middle = seen[:, 2, [1, 4, 11, 14]].mean(dim=1)
    place = middle[:, :2] / middle[:, 2:] / half
    assert place.std(dim=0).min() > 0.12
    assert place.abs().max() < 1


def test_filming_is_rigid():
    torch.manual_seed(0)
    world = CLIPS[1].joints[None, :10].expand(30, -1, -1, -1)
    seen, half = place_random_cameras(world, DomainRandomization())
    torch.testing.assert_close(
        HUMAN36M.bone_lengths(seen), HUMAN36M.bone_lengths(world), atol=1e-5, rtol=1e-5
    )
    handed = [torch.linalg.det(each[:, 0, [1, 3, 11]] - each[:, 0, :1]) for each in (seen, world)]
    torch.testing.assert_close(*handed, atol=1e-5, rtol=1e-4)  # nobody is mirrored
    assert (half > 0).all()


ALL = list(HUMAN36M.names)
LIMBS = [f"{side}_{joint}" for side in ("left", "right") for joint in ("elbow", "wrist", "knee", "ankle")]


@pytest.mark.parametrize(
    ("change", "joints"),
    [
        ({}, []),
        ({"missing_head_top": 1.0}, ["head_top"]),
        ({"missing_nose": 1.0}, ["nose"]),
        ({"limb_gaps": 0.5}, LIMBS),
        ({"frame_gaps": 0.5}, ALL),
        ({"skipped_frames": 1.0}, ALL),
    ],
)
def test_gaps_are_marked_and_filled(change, joints):
    torch.manual_seed(0)
    exact = CLIPS[2].joints[None, :40, :, [0, 2]].expand(50, -1, -1, -1) * 0.1 + 2.0
    rays, seen = simulate_detector(
        exact, torch.full((50, 2), 9.0), 30.0, replace(STILL, noise=(0.0, 0.0), **change)
    )
    shares = seen.float().mean(dim=(0, 1))
    assert {name for name, share in zip(ALL, shares.tolist(), strict=True) if share < 0.9} == set(joints)
    error = (rays - exact).norm(dim=-1)
    assert (error[seen] > 1e-5).float().mean() < 0.01  # but for a rare exchange of left and right
    assert error.max() < 0.15  # what is filled is near the body, which is 0.2 high


def test_what_is_outside_the_image_is_not_seen():
    exact = torch.zeros(1, 10, 17, 2)
    exact[:, :, 3] = torch.tensor([0.0, 0.8])
    rays, seen = simulate_detector(exact, torch.tensor([[0.5, 0.5]]), 30.0, STILL)
    assert not seen[:, :, 3].any()
    assert seen[:, :, :3].all()
    assert rays[:, :, 3].abs().max() < 0.1  # at the trunk


def test_views_to_validate_on_are_the_same_each_time_and_leave_other_randomness_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    dataset = randomized_dataset(CLIPS, seed=3, count=20, frames=12)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(dataset) == 20
    assert dataset.joints.shape == (240, 17, 3)
    again = randomized_dataset(CLIPS, seed=3, count=20, frames=12)
    assert torch.equal(dataset.keypoints_2d, again.keypoints_2d)


def test_a_randomized_dataset_holds_drawn_samples_in_pixels_of_a_focal_length_of_1000():
    dataset = randomized_dataset(CLIPS, seed=3, count=20, frames=12)
    torch.manual_seed(3)
    same_rate = DomainRandomization(fps=(50.0, 50.0))
    sampler = RandomizedSampler(
        CLIPS, frames_per_sample=12, context=(0, 0), randomization=same_rate, flip=False
    )
    batches = [sampler.draw_random(10) for _ in range(2)]
    drawn = torch.cat([batch.keypoints_2d for batch in batches]).flatten(0, 1)
    torch.testing.assert_close(dataset.inputs("rays"), drawn, atol=1e-6, rtol=1e-6)
    assert torch.equal(dataset.inputs("rays")[..., 2], drawn[..., 2])
    exact = dataset.cameras[dataset.sequence_of_frames()].camera_to_image(dataset.joints)
    rays = dataset.joints[..., :2] / dataset.joints[..., 2:]
    torch.testing.assert_close(exact, 1000 * rays + 1000, atol=1e-2, rtol=1e-6)


def test_a_detector_without_offset_sees_joints_where_they_are():
    joints = CLIPS[0].joints[None, :4]
    assert torch.equal(detector_joints(joints, 0.0), joints)


def test_a_detector_puts_hips_high_and_wide_and_turns_with_the_body():
    torch.manual_seed(0)
    joints = CLIPS[0].joints[None, :4].expand(4000, -1, -1, -1)
    marked = detector_joints(joints, 0.015)
    local = ((marked - joints) @ trunk_axes(joints).mT).mean(dim=0)[0]
    left, right, shoulder = (
        HUMAN36M.names.index(name) for name in ("left_hip", "right_hip", "left_shoulder")
    )
    torch.testing.assert_close(local[left], torch.tensor([0.015, 0.0, 0.03]), atol=2e-3, rtol=0)
    torch.testing.assert_close(local[right], torch.tensor([-0.015, 0.0, 0.03]), atol=2e-3, rtol=0)
    assert local[shoulder, 0] == pytest.approx(-0.01, abs=2e-3)


def test_where_a_detector_puts_joints_turns_with_the_person():
    joints = CLIPS[0].joints[None, :4].expand(5, -1, -1, -1)
    turn = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    torch.manual_seed(1)
    marked = detector_joints(joints, 0.015)
    torch.manual_seed(1)
    torch.testing.assert_close(detector_joints(joints @ turn, 0.015), marked @ turn, atol=1e-5, rtol=0)


def test_middles_follow_from_the_sides_where_the_detector_lacks_them():
    torch.manual_seed(0)
    exact = CLIPS[2].joints[None, :40, :, [0, 2]].expand(50, -1, -1, -1) * 0.1
    rays, seen = simulate_detector(
        exact, torch.full((50, 2), 9.0), 30.0, replace(DomainRandomization(), midpoint_joints=1.0)
    )
    for middle, end in (("pelvis", "hip"), ("thorax", "shoulder")):
        joint = HUMAN36M.names.index(middle)
        sides = [HUMAN36M.names.index(f"{side}_{end}") for side in ("left", "right")]
        both = seen[..., sides].all(dim=-1)
        assert torch.equal(seen[..., joint], both)
        torch.testing.assert_close(rays[both][:, joint], rays[both][:, sides].mean(dim=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"distance": (0.0, 12.0)}, r"distance must be above 0"),
        ({"fps": (40.0, 20.0)}, r"fps must be a range from low to high"),
        ({"truncated": 1.5}, "truncated is a share of at most 1"),
        ({"roll": -1.0}, "roll must be finite and not negative"),
        ({"height": (0.0, float("nan"))}, "height must be finite"),
        ({"noise_fit": 3}, "noise_fit must be one of 1, 2, got 3"),
        ({"hip_widening": (-1.5, 0.8)}, "hip_widening must be finite and at least -1"),
        ({"rolled": 1.5, "children": 2.0}, "children is a share of at most 1.*; rolled is a share"),
        (
            {"stature": (0.0, 0.1), "skipped_frames": 2.0},
            "stature must be above 0.*; skipped_frames is a share",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, fault):
    with pytest.raises(ValueError, match=fault):
        DomainRandomization(**change)


def test_limbs_are_marked_along_their_bones_too():
    torch.manual_seed(0)
    joints = CLIPS[0].joints[None, :1].expand(4000, -1, -1, -1)
    knee, hip = HUMAN36M.names.index("left_knee"), HUMAN36M.names.index("left_hip")
    moved = (detector_joints(joints, 1e-6) - joints)[:, 0, knee]
    bone = (joints[:, 0, knee] - joints[:, 0, hip])[0]
    share = (moved @ bone) / bone.square().sum()
    assert share.std() == pytest.approx(0.04, rel=0.1)
    torch.testing.assert_close(moved, share[:, None] * bone, atol=1e-4, rtol=0)


def upright_angle(joints: torch.Tensor) -> torch.Tensor:
    """Degrees between the image's vertical and people's way up in it, of samples of a single frame."""
    up = joints[:, 0, HUMAN36M.names.index("thorax"), :2] - joints[:, 0, 0, :2]
    return torch.atan2(up[:, 0], -up[:, 1]).rad2deg()


def test_a_share_of_the_cameras_is_tilted_and_a_share_rolled_by_any_angle():
    standing = torch.zeros(4000, 1, 17, 3)
    standing[..., HUMAN36M.names.index("thorax"), 2] = 0.5
    standing[..., 2] += 1.0
    level = replace(STILL, height=(1.0, 1.0), focal=(2.0, 2.0))
    spread = {}
    for share in ("tilted", "rolled"):
        torch.manual_seed(0)
        seen, _ = place_random_cameras(standing, replace(level, **{share: 0.5}))
        spread[share] = upright_angle(seen).abs()
    for angles in spread.values():
        assert (angles < 1).float().mean() == pytest.approx(0.5, abs=0.05)
    assert spread["tilted"][spread["tilted"] > 1].square().mean().sqrt() == pytest.approx(25, rel=0.1)
    assert (spread["rolled"] > 90).float().mean() == pytest.approx(0.25, abs=0.03)  # upside down


def test_people_who_are_tipped_lie_in_all_ways_on_the_floor_and_are_the_same_people():
    torch.manual_seed(0)
    joints = CLIPS[0].joints[None, :5].expand(2000, -1, -1, -1)
    moved = tip_people(joints, 0.5)
    same = (moved == joints).flatten(1).all(dim=1)
    assert same.float().mean() == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(
        HUMAN36M.bone_lengths(moved), HUMAN36M.bone_lengths(joints), atol=1e-5, rtol=1e-5
    )
    lowest = moved[~same][..., 2].flatten(1).amin(dim=1)
    torch.testing.assert_close(lowest, torch.full_like(lowest, 0.08), atol=1e-5, rtol=0)
    up = (moved[~same][:, 2, 8] - moved[~same][:, 2, 0])[:, 2] / 0.49
    assert (up < -0.7).float().mean() == pytest.approx(0.25, abs=0.05)
    assert (up.abs() < 0.3).float().mean() == pytest.approx(0.2, abs=0.06)


def test_a_detector_moves_flexed_hips_outward_by_a_share_of_its_own_for_each_side():
    """And those of people who stand not at all."""
    torch.manual_seed(0)
    hips = [HUMAN36M.names.index(f"{side}_hip") for side in ("left", "right")]
    joints = CLIPS[0].joints[None, :1].expand(3000, -1, -1, -1).clone()
    trunk = torch.nn.functional.normalize(joints[..., 8, :] - joints[..., 0, :], dim=-1)
    for hip, knee in ((1, 2), (4, 5)):
        joints[..., knee, :] = joints[..., hip, :] - 0.4 * trunk
    plain = {"spread": 1e-9, "hip_widening": (0.2, 0.8)}
    torch.manual_seed(1)
    standing = detector_joints(joints, 1e-9)
    torch.manual_seed(1)
    torch.testing.assert_close(
        detector_joints(joints, **plain)[..., hips, :], standing[..., hips, :], atol=1e-6, rtol=0
    )
    forward = torch.nn.functional.normalize(
        torch.linalg.cross(joints[..., 4, :] - joints[..., 1, :], trunk), dim=-1
    )
    for hip, knee in ((1, 2), (4, 5)):
        joints[..., knee, :] = joints[..., hip, :] + 0.4 * forward
    torch.manual_seed(1)
    narrow = detector_joints(joints, 1e-9)
    torch.manual_seed(1)
    wide = detector_joints(joints, **plain)
    outward = joints[..., hips, :] - joints[..., :1, :]
    share = ((wide - narrow)[..., hips, :] * outward).sum(dim=-1) / outward.square().sum(dim=-1)
    share = share[:, 0]
    assert share.min() == pytest.approx(0.2, abs=0.02)
    assert share.max() == pytest.approx(0.8, abs=0.02)
    assert torch.corrcoef(share.T)[0, 1].abs() < 0.1
    moved = (wide - narrow)[..., 0, :]
    torch.testing.assert_close(moved, (wide - narrow)[..., hips, :].mean(dim=-2), atol=1e-6, rtol=0)


def test_errors_are_larger_on_the_far_side_only():
    torch.manual_seed(0)
    exact = CLIPS[2].joints[None, :40, :, [0, 2]].expand(300, -1, -1, -1) * 0.1
    depth = torch.zeros(300, 40, 17)
    depth[..., 3], depth[..., 6] = 0.5, -0.5
    config = replace(STILL, noise=(1.0, 1.0), far_noise=2.0)
    rays, _ = simulate_detector(exact, torch.full((300, 2), 9.0), 30.0, config, depth)
    spread = (rays - exact).std(dim=(0, 1)).mean(dim=-1)
    assert spread[3] / spread[6] == pytest.approx((1 + 2 + 4 / 3) ** 0.5, rel=0.1)  # of factors from 1 to 3
    torch.manual_seed(0)
    unaware, _ = simulate_detector(exact, torch.full((300, 2), 9.0), 30.0, config)
    spread = (unaware - exact).std(dim=(0, 1)).mean(dim=-1)
    assert spread[3] / spread[6] == pytest.approx(1, abs=0.1)


def test_strays_are_rare_and_moderately_far():
    torch.manual_seed(0)
    exact = CLIPS[2].joints[None, :40, :, [0, 2]].expand(400, -1, -1, -1) * 0.1
    rays, _ = simulate_detector(
        exact, torch.full((400, 2), 9.0), 30.0, replace(STILL, noise=(0.0, 0.0), strays=0.02)
    )
    away = (rays - exact).norm(dim=-1) / person_size(exact)[..., None]
    astray = away > 1e-4
    assert astray.float().mean() == pytest.approx(0.02, rel=0.2)
    assert 0.029 < away[astray].min() < 0.035
    assert 0.14 < away[astray].max() < 0.151


def test_cocos_keypoints_have_no_head_top_and_no_pelvis_and_thorax_of_their_own():
    torch.manual_seed(0)
    exact = CLIPS[2].joints[None, :40, :, [0, 2]].expand(300, -1, -1, -1) * 0.1
    rays, seen = simulate_detector(
        exact, torch.full((300, 2), 9.0), 30.0, replace(STILL, noise=(1.0, 1.0), coco=0.4)
    )
    coco = ~seen[:, :, HUMAN36M.names.index("head_top")].any(dim=1)
    assert coco.float().mean() == pytest.approx(0.4, abs=0.08)
    middle = (rays[:, :, 1] + rays[:, :, 4]) / 2
    assert torch.equal((rays[:, :, 0] - middle).norm(dim=-1).amax(dim=1) < 1e-6, coco)


def test_clips_are_drawn_by_their_weights():
    torch.manual_seed(0)
    weights = [0.0, 3.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    weighted = RandomizedSampler(CLIPS, frames_per_sample=1, context=(0, 0), clip_weights=weights)
    frames = weighted._random_frames(8000)
    length = len(CLIPS[0])
    counts = torch.bincount(frames // length, minlength=7) / 8000
    torch.testing.assert_close(counts, torch.tensor([0, 0.75, 0, 0.25, 0, 0, 0]), atol=0.02, rtol=0)
    within = torch.bincount(frames[frames // length == 1] % length, minlength=length).float()
    assert within.min() > 0.5 * within.mean()  # the frames of a clip equally often


def test_joints_that_are_never_seen_are_where_lifting_places_them():
    torch.manual_seed(0)
    exact = CLIPS[1].joints[None, :8, :, [0, 2]].expand(200, -1, -1, -1) * torch.tensor([0.2, -0.2])
    half = torch.stack((torch.full((200,), 9.0), torch.linspace(0.05, 0.4, 200)), dim=-1)
    rays, seen = simulate_detector(exact + torch.tensor([0.0, 0.35]), half, 30.0, REALISTIC)
    legs = list(range(7))
    waist_up = ~seen[:, :, legs].any(dim=1).any(dim=-1) & seen[:, :, [11, 14]].any(dim=1).all(dim=-1)
    assert waist_up.sum() > 5
    for number in waist_up.nonzero()[:5, 0].tolist():
        known = torch.where(seen[number].any(dim=0)[None, :, None], rays[number], torch.nan)
        confidence = (~known[..., 0].isnan()).float().numpy()
        expected = fill_gaps(known.numpy(), confidence, causal=False)
        torch.testing.assert_close(rays[number], torch.from_numpy(expected))
