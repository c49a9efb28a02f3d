"""Folders of motion capture: clips, splits, names and faults."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mocap_files import write_choices, write_person

from spgnet.datasets.archive import save_motion_archive
from spgnet.datasets.mocap import check_mocap_folder, is_mocap_folder, load_mocap_folder
from spgnet.export import export
from spgnet.export.armature import symmetric_bone_lengths
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion
from spgnet.synthetic.procedural import procedural_clips

SPLITS = ("train", "validation", "test")


def names(folder, split):
    return [clip.name for clip in load_mocap_folder(folder, split)]


def test_a_clip_is_named_after_its_file_and_its_folders(tmp_path):
    write_person(tmp_path / "walks" / "fast_02.bvh")
    write_person(tmp_path / "01_07.BVH", fps=30)
    clips = [clip for split in SPLITS for clip in load_mocap_folder(tmp_path, split)]
    found = {clip.name: (clip.subject, clip.action, clip.fps) for clip in clips}
    assert found == {"walks/fast_02": ("walks", "walks", 60), "01_07": ("01", "01_07", 30)}


def test_files_beside_each_other_have_their_names_without_numbers_as_actions(tmp_path):
    write_person(tmp_path / "jump_012.bvh")
    (clip,) = load_mocap_folder(tmp_path, "train")
    assert (clip.action, clip.subject) == ("jump", tmp_path.name)


@pytest.mark.parametrize(
    ("count", "validation", "test"),
    [(1, [], []), (2, [1], []), (3, [1], [2]), (9, [7], [8]), (10, [8], [9]), (23, [8, 18], [9, 19])],
)
def test_clips_are_split_by_their_order(tmp_path, count, validation, test):
    for number in range(count):
        write_person(tmp_path / f"clip{number:03}.bvh", frames=1)
    assert names(tmp_path, "validation") == [f"clip{i:03}" for i in validation]
    assert names(tmp_path, "test") == [f"clip{i:03}" for i in test]
    rest = [i for i in range(count) if i not in (*validation, *test)]
    assert names(tmp_path, "train") == [f"clip{i:03}" for i in rest]


def test_folders_of_splits_are_taken_as_they_are(tmp_path):
    write_person(tmp_path / "train" / "run" / "a1.bvh")
    write_person(tmp_path / "test" / "b2.bvh")
    write_person(tmp_path / "other.bvh")
    assert names(tmp_path, "train") == ["train/run/a1"]
    assert names(tmp_path, "validation") == []
    (test,) = load_mocap_folder(tmp_path, "test")
    assert (test.name, test.action) == ("test/b2", "b")
    (train,) = load_mocap_folder(tmp_path, "train")
    assert train.action == "run"


def test_archives_are_read_with_their_own_subjects_and_pieces_stay_together(tmp_path):
    clips = procedural_clips(3, seed=1, seconds=1.0)
    pieces = [replace(clips[0], name="a/1"), replace(clips[1], name="a/1#1"), replace(clips[2], name="b/2")]
    save_motion_archive(tmp_path / "all.npz", pieces)
    assert names(tmp_path, "train") == ["all/a/1", "all/a/1#1"]
    (clip,) = load_mocap_folder(tmp_path, "validation")
    assert (clip.name, clip.subject) == ("all/b/2", clips[2].subject)
    torch.testing.assert_close(clip.joints, clips[2].joints, atol=1e-4, rtol=0)


def test_the_nearest_choices_count(tmp_path):
    write_person(tmp_path / "near" / "a.bvh")
    write_person(tmp_path / "b.bvh")
    write_choices(tmp_path, fps=25)
    (tmp_path / "near" / "joints.toml").write_text(
        'fps = 50\nthorax = ["mixamorig:LeftArm", "mixamorig:RightArm"]'
    )
    clips = {clip.name: clip for split in SPLITS for clip in load_mocap_folder(tmp_path, split)}
    assert clips["b"].fps == 25
    assert clips["near/a"].fps == 50
    np.testing.assert_allclose(clips["near/a"].joints[0, 8], [0, 0.01, 1.42], atol=1e-5)


@pytest.mark.parametrize(
    ("choices", "fault"),
    [
        ({"RThigh": "right_hip"}, "'RThigh' is no joint"),
        ({"right_hip": 3, "up": "x"}, 'right_hip is 3, expected points; up is \'x\', expected "y" or "z"'),
        ({"unit": -1}, "unit is -1, expected a positive number"),
        ({"spine": []}, "spine is \\[\\]"),
    ],
)
def test_choices_that_are_not_understood_are_named(tmp_path, choices, fault):
    write_person(tmp_path / "a.bvh")
    write_choices(tmp_path, **choices)
    with pytest.raises(ValueError, match=f"joints.json: {fault}"):
        load_mocap_folder(tmp_path, "train")


def test_all_faults_are_listed_and_the_rest_is_counted(tmp_path):
    for number in range(30):
        (tmp_path / f"broken{number:02}.bvh").write_text("HIERARCHY\n")
    (tmp_path / "archive.npz").write_bytes(b"no archive")
    write_person(tmp_path / "train.bvh")
    with pytest.raises(
        ValueError, match=r"archive.npz.*broken00.bvh.*no line MOTION.*; and 5 more$"
    ) as error:
        load_mocap_folder(tmp_path, "train")
    assert "\n" not in str(error.value)
    checked = check_mocap_folder(tmp_path)
    assert len(checked.errors) == 31
    assert checked.facts[0] == "files: 31 .bvh, 1 .npz"


def test_a_check_says_what_is_there(tmp_path):
    for number in range(3):
        write_person(tmp_path / f"a{number}.bvh", frames=120)
    checked = check_mocap_folder(tmp_path)
    assert checked.errors == []
    assert checked.facts == [
        "files: 3 .bvh",
        *(f"{split}: 1 clips of 1 subjects, 0.0 minutes at 60 frames per second" for split in SPLITS),
    ]


def test_folders_of_motion_are_told_from_others(tmp_path):
    assert not is_mocap_folder(tmp_path)
    assert not is_mocap_folder(tmp_path / "absent")
    np.savez(tmp_path / "keypoints.npz", positions_2d=np.zeros(3))
    (tmp_path / "._a.bvh").touch()
    assert not is_mocap_folder(tmp_path)
    with pytest.raises(ValueError, match=r"arrays root.* are missing"):
        load_mocap_folder(tmp_path, "train")
    save_motion_archive(tmp_path / "deep.npz", procedural_clips(1, seed=1, seconds=1.0))
    assert is_mocap_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"there are no .bvh, .amc or .npz"):
        load_mocap_folder(tmp_path / "empty", "train")
    (tmp_path / "empty" / "a.AMC").touch()
    assert is_mocap_folder(tmp_path / "empty")


@pytest.mark.parametrize("action", range(3))
def test_what_we_export_we_read_back(tmp_path, action):
    clip = procedural_clips(7, seed=3, seconds=1.0)[action]
    camera = opencv_camera([[900, 0, 640], [0, 900, 360], [0, 0, 1]], [0.0] * 4, (1280, 720))
    camera = replace(camera, rotation=torch.eye(3)[[0, 2, 1]] * torch.tensor([[1.0], [-1], [1]]))
    steady = HUMAN36M.with_bone_lengths(clip.joints.double(), symmetric_bone_lengths(clip.joints.double()))
    count = len(clip)
    motion = Motion(
        joints=camera.to(torch.float64).world_to_camera(steady).numpy(),
        confidence=np.ones((count, 17)),
        pixels=np.zeros((count, 17, 2)),
        timestamps=np.arange(count) / clip.fps,
        camera=camera,
        camera_source="a test",
        weights="none",
    )
    export(motion, tmp_path / "walk_1.bvh")
    (back,) = load_mocap_folder(tmp_path, "train")
    assert back.fps == clip.fps
    assert back.unmeasured_joints == ()
    expected = torch.from_numpy(motion.world).float()
    shift = (back.joints[0, 0] - expected[0, 0]) * torch.tensor([0, 0, 1.0])
    assert float((back.joints - shift - expected).norm(dim=-1).max()) < 1e-3


def test_people_are_split_where_there_are_three_or_more(tmp_path):
    for person in range(4):
        for number in range(1, 4):
            write_person(tmp_path / f"{person:02}_{number:02}.bvh", frames=1)
    people = {split: {clip.subject for clip in load_mocap_folder(tmp_path, split)} for split in SPLITS}
    assert people == {"train": {"00", "01"}, "validation": {"02"}, "test": {"03"}}
    assert len(names(tmp_path, "test")) == 3


def test_a_check_names_clips_that_jump(tmp_path):
    clips = procedural_clips(3, seed=1, seconds=1.0)
    joints = clips[1].joints.clone()
    joints[20:] += 2.7
    save_motion_archive(tmp_path / "all.npz", [clips[0], replace(clips[1], joints=joints), clips[2]])
    checked = check_mocap_folder(tmp_path)
    (error,) = checked.errors
    assert error.startswith(f"all/{clips[1].name}: pelvis moves 4.")
