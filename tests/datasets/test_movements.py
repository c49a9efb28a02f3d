"""What weights are trained and validated on: by kind of movement, and never the same people."""

from dataclasses import replace

import pytest
import torch

from spgnet.data.config import DataConfig
from spgnet.data.sources import check_data, load_dataset, load_training_data, load_validation
from spgnet.datasets.archive import load_motion_archive, save_motion_archive
from spgnet.datasets.movements import (
    ADDED_ARCHIVES,
    GENERATED_WEIGHTS,
    HELD_OUT_PEOPLE,
    NECK,
    OWN_BODIES,
    TRAINING_GROUPS,
    VALIDATION_GROUPS,
    is_held_out,
    training_groups,
    validation_clips,
    with_common_neck,
)
from spgnet.datasets.open_benchmark import NON_COMMERCIAL, open_benchmark_facts
from spgnet.errors import InputError
from spgnet.synthetic.procedural import procedural_clips

KINDS = {"walking", "sitting and squatting", "arms", "floor", "sports", "balancing"}


@pytest.fixture(scope="module")
def trained(real_motion):
    return training_groups(real_motion)


@pytest.fixture(scope="module")
def data(real_motion):
    return load_training_data(
        DataConfig(motion=real_motion, input="randomized", by_movement=True, generated=16)
    )


def test_nobody_who_is_held_out_is_trained_on_whatever_archive_shows_them(trained):
    clips = [clip for _, members in trained for clip in members]
    assert not any(is_held_out(clip) for clip in clips)
    assert not {clip.subject for clip in clips} & set(HELD_OUT_PEOPLE)
    assert sum(person.startswith("uiprmd") for person in HELD_OUT_PEOPLE) == 2


def test_only_motion_of_a_known_origin_that_is_free_for_any_use_is_trained_on(trained):
    assert not any(group.archive == NON_COMMERCIAL for group in TRAINING_GROUPS + VALIDATION_GROUPS)
    names = {clip.name for group, members in trained for clip in members if group.archive == "cmu_jump.npz"}
    assert all(name.startswith("cmu/") for name in names)


def test_no_clip_is_in_two_groups_and_every_group_has_clips(trained):
    taken = [(group.archive, clip.name) for group, members in trained for clip in members]
    assert len(taken) == len(set(taken))
    assert all(members for _, members in trained)


def test_all_of_the_archives_that_were_added_is_trained_on_but_for_who_is_held_out(real_motion, trained):
    taken = {(group.archive, clip.name) for group, members in trained for clip in members}
    for name in ADDED_ARCHIVES:
        free = {clip.name for clip in load_motion_archive(real_motion / name) if not is_held_out(clip)}
        assert free == {clip for archive, clip in taken if archive == name}


def test_validation_shows_only_who_is_held_out_doing_every_kind_of_movement(real_motion):
    kinds = validation_clips(real_motion)
    assert set(kinds) == KINDS - {"balancing"}
    assert all(clip.subject in HELD_OUT_PEOPLE for clips in kinds.values() for clip in clips)
    assert {clip.subject for clip in kinds["arms"]} == {"uiprmd-s02", "uiprmd-s09"}


def test_groups_are_drawn_by_their_weights_not_by_their_frames(data, trained):
    weights = dict.fromkeys((clip.name for clip in data.clips), 0.0)
    for clip, weight in zip(data.clips, data.clip_weights, strict=True):
        weights[clip.name] += weight
    for group, members in trained[:8]:
        names = {clip.name for clip in members}
        assert sum(weights[name] for name in names) == pytest.approx(group.weight)
    generated = [
        weight
        for clip, weight in zip(data.clips, data.clip_weights, strict=True)
        if clip.subject == "procedural"
    ]
    assert sum(generated) == pytest.approx(sum(GENERATED_WEIGHTS.values()))


def test_every_kind_of_movement_counts_alike_in_validation(real_motion):
    dataset = load_validation(DataConfig(motion=real_motion, input="randomized", by_movement=True))
    assert dataset is not None
    frames = {
        kind: sum(
            int(length)
            for length, action in zip(dataset.lengths, dataset.actions, strict=True)
            if action == kind
        )
        for kind in dataset.actions
    }
    assert frames.keys() == KINDS
    assert len(set(frames.values())) == 1


def test_by_movement_has_no_effect_on_other_input_or_other_motion(real_motion, tmp_path):
    save_motion_archive(tmp_path / "mine.npz", procedural_clips(8, seed=0, seconds=2.0))
    mine = DataConfig(motion=tmp_path, input="randomized", by_movement=True, generated=0)
    assert load_training_data(mine).clip_weights is None
    other = DataConfig(motion=real_motion, input="projected", by_movement=True)
    assert set(load_dataset(other, "validation").actions) == {"modern dance"}


def test_the_open_benchmark_s_archives_alone_are_too_few_and_the_way_out_is_named(real_motion, tmp_path):
    for name in open_benchmark_facts()["archives"]:
        (tmp_path / name).symlink_to(real_motion / name)
    few = DataConfig(motion=tmp_path, input="randomized", by_movement=True)
    with pytest.raises(InputError, match=r"needs uiprmd_correct.npz, .*; --data.no-by-movement trains on"):
        load_training_data(few)
    (tmp_path / "cmu_misc.npz").symlink_to(real_motion / "cmu_misc.npz")
    with pytest.raises(InputError, match=r"cmu_everyday.npz: no such file"):
        load_training_data(few)


def test_a_check_names_the_archives_that_were_added_and_what_is_wrong_with_them(real_motion, tmp_path):
    _, report = check_data(real_motion)
    assert not report.errors
    assert {fact.split(":")[0] for fact in report.facts} >= set(ADDED_ARCHIVES)
    (tmp_path / "cmu_iclone.npz").symlink_to(real_motion / "cmu_iclone.npz")
    save_motion_archive(tmp_path / "cmu_misc.npz", procedural_clips(2, seed=0, seconds=1.0))
    _, report = check_data(tmp_path)
    assert any("cmu_misc.npz" in error and "SHA-256" in error for error in report.errors)


def neck(clips) -> float:
    """How far the thorax is above the shoulders while the arms hang, by lengths of the trunk up to them."""
    joints = torch.cat([clip.joints for clip in clips])
    trunk = joints[:, 8] - joints[:, 0]
    hanging = (joints[:, [11, 14], 2].amin(dim=1) - joints[:, [13, 16], 2].amax(dim=1)) > 0.15
    hanging &= trunk[:, 2] > 0.9 * trunk.norm(dim=-1)
    shoulders = joints[:, [11, 14]].mean(dim=1) - joints[:, 0]
    height = (shoulders * trunk).sum(dim=-1) / trunk.square().sum(dim=-1)
    return 1 / float(height[hanging].median()) - 1


def test_everybody_has_the_neck_equally_far_above_the_shoulders(real_motion, trained):
    everyday, sports = (
        neck(load_motion_archive(real_motion / f"cmu_{name}.npz")) for name in ("everyday", "sports")
    )
    assert everyday - sports > 0.1  # a tenth of the trunk
    skeletons = {}
    for group, members in trained:
        for clip in members:
            own = clip.subject if group.archive in OWN_BODIES else ""
            skeletons.setdefault((group.archive, own), []).append(clip)
    del skeletons["cmu_misc.npz", "cmu55"]  # who dances all the time, with raised arms
    for (archive, _), clips in skeletons.items():
        assert neck(clips) == pytest.approx(NECK, abs=0.02), archive  # groups leave some of the clips out
    moved = with_common_neck(procedural_clips(8, seed=1, seconds=2.0))
    assert neck(moved) == pytest.approx(NECK, abs=1e-4)


def test_a_common_neck_leaves_all_but_thorax_and_spine_alone():
    clips = procedural_clips(8, seed=1, seconds=2.0)
    for clip, moved in zip(clips, with_common_neck(clips), strict=True):
        others = [joint for joint in range(17) if joint not in (7, 8)]
        assert torch.equal(moved.joints[:, others], clip.joints[:, others])
        rise = moved.joints - clip.joints
        torch.testing.assert_close(rise[:, 7], rise[:, 8] / 2)
    lying = replace(clips[7], joints=clips[7].joints[:, :, [2, 1, 0]])
    assert with_common_neck([lying])[0] is lying
