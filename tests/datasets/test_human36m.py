"""Human3.6M in every layout: a miniature that the tests write, read back."""

import functools
import gzip
import io
import os
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from human36m_files import (
    ACTIONS,
    METADATA,
    Motion,
    cdf_file,
    make_motion,
    project,
    to_32_joints,
    write_archive,
    write_objects,
    write_original,
    write_prepared,
)

from spgnet.datasets.human36m import HUMAN36M_FORMAT
from spgnet.datasets.human36m_motion import JOINTS
from spgnet.datasets.takes import Split, Take
from spgnet.geometry.rigs import human36m_rig
from spgnet.geometry.skeleton import HUMAN36M

load, check = HUMAN36M_FORMAT.load, HUMAN36M_FORMAT.check
FIELD_NAMES = {
    **{0: "Hip", 1: "RHip", 2: "RKnee", 3: "RFoot", 6: "LHip", 7: "LKnee", 8: "LFoot"},
    **{12: "Spine", 13: "Thorax", 14: "Neck/Nose", 15: "Head"},
    **{17: "LShoulder", 18: "LElbow", 19: "LWrist", 25: "RShoulder", 26: "RElbow", 27: "RWrist"},
}
"""Names of the 32 joints by number, as in the code of Martinez et al. (2017); it has none for the others."""
REMOVED = [4, 5, 9, 10, 11, 16, 20, 21, 22, 23, 24, 28, 29, 30, 31]
"""The joints that VideoPose3D takes away."""
TRAIN, TEST = ("S1", "S5", "S6", "S7", "S8"), ("S9", "S11")
SHORTER = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}


@pytest.fixture(scope="module")
def everybody() -> Motion:
    return make_motion(frames=(8, 20))


@pytest.fixture(scope="module")
def motion(everybody) -> Motion:
    """The test split."""
    return {subject: everybody[subject] for subject in TEST}


def positions(motion: Motion) -> dict[str, dict[str, Any]]:
    return {
        subject: {name: to_32_joints(joints) for name, joints in sequences.items()}
        for subject, sequences in motion.items()
    }


def pixels(motion: Motion) -> dict[str, dict[str, Any]]:
    return {
        subject: {name: project(subject, joints) for name, joints in sequences.items()}
        for subject, sequences in motion.items()
    }


def write_3d(folder: Path, table: object) -> None:
    write_objects(folder / "data_3d_h36m.npz", positions_3d=table)


def write_2d(folder: Path, table: object, name: str = "cpn", **metadata: Any) -> None:
    path = folder / f"data_2d_h36m_{name}.npz"
    write_objects(path, positions_2d=table, metadata={**METADATA, **metadata})


def assert_same(takes: list[Take], motion: Motion) -> None:
    """The takes, in whatever order, are these sequences."""
    names = [f"{subject}/{name}" for subject, sequences in motion.items() for name in sequences]
    assert sorted(take.name for take in takes) == sorted(names)
    places = {subject: human36m_rig(subject).position for subject in motion}
    for take in takes:
        subject, name = take.name.split("/")
        assert take.joints is not None
        assert take.joints.shape == motion[subject][name].shape
        assert float((take.joints - motion[subject][name]).abs().max()) < 1e-6
        assert (take.subject, take.action, take.fps) == (subject, name.split(" ")[0], 50.0)
        assert torch.equal(take.cameras.position, places[subject])
        assert take.unmeasured_joints == ()


def projected(take: Take) -> torch.Tensor:
    assert take.joints is not None
    return take.cameras[:, None].world_to_image(take.joints)


def test_our_17_joints_are_those_that_the_field_keeps_of_32():
    ours = " ".join(HUMAN36M.names).replace("left_", "l").replace("right_", "r")
    names = {"pelvis": "hip", "ankle": "foot", "nose": "neck/nose", "head_top": "head"}
    for name, field_name in names.items():
        ours = ours.replace(name, field_name)
    assert ours.split() == [name.lower() for name in FIELD_NAMES.values()]
    assert list(FIELD_NAMES) == [joint for joint in range(32) if joint not in REMOVED]
    assert list(JOINTS) == list(FIELD_NAMES)
    assert list(JOINTS.values()) == list(HUMAN36M.names)


@pytest.mark.parametrize("layout", ["prepared", "archives", "folders", "folders of archives"])
def test_every_layout_gives_the_motion_that_was_written(tmp_path, everybody, layout):
    if layout == "prepared":
        write_prepared(tmp_path, everybody, ())
    else:
        write_original(tmp_path, everybody, packed=layout == "archives")
    if layout == "folders of archives":
        for subject in everybody:
            (tmp_path / f"Poses_D3_Positions_{subject}").mkdir()
            (tmp_path / subject).rename(tmp_path / f"Poses_D3_Positions_{subject}" / subject)
    assert HUMAN36M_FORMAT.recognises(tmp_path)
    assert_same(load(tmp_path, "train", None), {subject: everybody[subject] for subject in TRAIN})
    assert_same(load(tmp_path, "test", None), {subject: everybody[subject] for subject in TEST})
    assert load(tmp_path, "validation", None) == []
    facts, faults = check(tmp_path)
    assert not faults
    assert any("train (S1, S5, S6, S7, S8): 150 sequences" in fact for fact in facts)
    assert any("test (S9, S11): 59 sequences" in fact for fact in facts)


def test_the_archive_itself_stands_for_its_folder(tmp_path, motion):
    write_prepared(tmp_path, motion, ("gt",))
    assert HUMAN36M_FORMAT.recognises(tmp_path / "data_3d_h36m.npz")
    assert_same(load(tmp_path / "data_3d_h36m.npz", "test", "gt"), motion)


def test_other_paths_are_not_recognised(tmp_path):
    (tmp_path / "S1").mkdir()
    (tmp_path / "data_2d_h36m_gt.npz").touch()
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "data_2d_h36m_gt.npz"):
        assert not HUMAN36M_FORMAT.recognises(path)


def test_detections_are_those_of_the_takes_cameras_cut_to_the_motion(tmp_path, motion):
    write_prepared(tmp_path, motion)
    for detector, deviation in (("gt", 0.0), ("cpn_ft_h36m_dbb", 5.0)):
        takes = load(tmp_path, "test", detector)
        assert_same(takes, motion)
        assert all(set(take.detections) == {detector} for take in takes)
        apart = torch.cat([(take.detections[detector] - projected(take)).flatten() for take in takes])
        assert float(apart.std()) == pytest.approx(deviation, abs=0.1)
        assert float(apart.abs().max()) < 1e-2 + 7 * deviation


def test_detections_lie_beside_the_download_too(tmp_path, motion):
    write_original(tmp_path, motion, ("gt",))
    for take in load(tmp_path, "test", "gt"):
        torch.testing.assert_close(take.detections["gt"], projected(take), rtol=0, atol=1e-2)


def test_detections_of_other_subjects_and_sequences_do_no_harm(tmp_path, motion):
    write_prepared(tmp_path, motion, ())
    table = {**pixels(motion), "S2": {"Walking": [np.zeros((3, 17, 2), np.float32)] * 4}}
    table["S11"]["Directions"] = [np.full((3, 17, 2), np.nan, np.float32)] * 4
    write_2d(tmp_path, table)
    assert_same(load(tmp_path, "test", "cpn"), motion)


def test_the_corrupt_sequence_is_left_out_whatever_it_holds(tmp_path, motion):
    table = positions(motion)
    table["S11"]["Directions"] = np.full((3, 32, 3), np.nan, np.float32)
    write_3d(tmp_path, table)
    assert_same(load(tmp_path, "test", None), motion)


def test_actions_have_the_fields_names(tmp_path, motion):
    longer = {short: long for long, short in SHORTER.items()}

    def original(name: str) -> str:
        action = name.split(" ")[0]
        return name.replace(action, longer.get(action, action))

    for write, table in ((write_3d, positions(motion)), (write_2d, pixels(motion))):
        write(tmp_path, {s: {original(name): held for name, held in t.items()} for s, t in table.items()})
    takes = load(tmp_path, "test", "cpn")
    assert_same(takes, motion)
    assert {take.action for take in takes} == set(ACTIONS)


def test_sequences_without_detections_are_left_out_and_told(tmp_path, motion):
    write_prepared(tmp_path, motion, ())
    table = pixels(motion)
    del table["S9"], table["S11"]["Photo"], table["S11"]["Posing 1"]
    write_2d(tmp_path, table)
    names = {take.name for take in load(tmp_path, "test", "cpn")}
    assert names == {f"S11/{name}" for name in motion["S11"]} - {"S11/Photo", "S11/Posing 1"}
    assert HUMAN36M_FORMAT.missing("test", names) == ["S9", "S11: Photo (1 of 2), Posing (1 of 2)"]
    assert any(fact.startswith("missing of the detections cpn: S9/") for fact in check(tmp_path).facts)


def test_two_subjects_and_one_action_train_and_the_rest_is_told(tmp_path, everybody):
    walks = {
        subject: {name: joints for name, joints in everybody[subject].items() if name.startswith("Walking")}
        for subject in ("S1", "S5")
    }
    write_prepared(tmp_path, walks, ("gt",))
    takes = load(tmp_path, "train", "gt")
    assert_same(takes, walks)
    absent, *others = HUMAN36M_FORMAT.missing("train", {take.name for take in takes})
    assert absent == "S6, S7, S8"
    assert [line.split(":")[0] for line in others] == ["S1", "S5"]
    assert others[0].startswith("S1: Directions (0 of 2), Discussion (0 of 2), ")
    assert "Walking" not in others[0].replace("WalkTogether", "")
    facts, faults = check(tmp_path)
    assert not faults
    assert "missing of train: S6, S7, S8" in facts
    assert HUMAN36M_FORMAT.missing("train", {f"{s}/{name}" for s in TRAIN for name in everybody[s]}) == []
    assert HUMAN36M_FORMAT.missing("test", {f"{s}/{name}" for s in TEST for name in everybody[s]}) == []


def test_a_column_of_confidence_comes_with_the_detections_where_all_cameras_have_it(tmp_path, motion):
    write_prepared(tmp_path, motion, ())
    table = pixels(motion)
    (partial, *_), confidence = table["S9"], np.random.default_rng(0)
    for name, cameras in table["S9"].items():
        known = [np.concatenate((each, confidence.random((len(each), 17, 1))), axis=-1) for each in cameras]
        cameras[:] = known[:3] + cameras[3:] if name == partial else known
    write_2d(tmp_path, table)
    write_2d(tmp_path, {"S9": {name: held for name, held in table["S9"].items() if name != partial}}, "whole")
    takes = load(tmp_path, "test", "cpn")
    assert_same([replace(take, detections={}) for take in takes], motion)
    for take in takes:
        subject, _, name = take.name.partition("/")
        held, seen = table[subject][name], take.detections["cpn"]
        assert seen.shape[-1] == (3 if subject == "S9" and name != partial else 2)
        expected = np.stack([camera[: len(take), :, : seen.shape[-1]] for camera in held])
        np.testing.assert_allclose(seen, expected, rtol=1e-6)
    scored = [fact.split(":")[0] for fact in check(tmp_path)[0] if fact.endswith("with confidence")]
    assert scored == ["detections whole"]


def test_a_missing_detector_is_told_with_those_that_are_there(tmp_path, motion):
    write_prepared(tmp_path, motion)
    with pytest.raises(ValueError, match=r"by 'hrnet' \(it has: cpn_ft_h36m_dbb, gt\)$"):
        load(tmp_path, "test", "hrnet")
    for file in tmp_path.glob("data_2d*"):
        file.unlink()
    with pytest.raises(ValueError, match=r"by 'gt' \(it has: none\)$"):
        load(tmp_path, "test", "gt")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"layout_name": "coco"}, "layout 'coco', expected 'h36m'"),
        ({"layout_name": None, "keypoints_symmetry": [[1, 3, 5], [2, 4, 6]]}, "left and right joints"),
        ({"layout_name": None, "keypoints_symmetry": None}, "layout None"),
        ({"num_joints": 16}, "has 16 joints, expected Human3.6M's 17"),
        ({"num_joints": np.array([17, 17])}, "expected Human3.6M's 17"),
        ({"layout_name": np.array([1.0, 2.0])}, "expected 'h36m'"),
        ({"keypoints_symmetry": [[np.arange(2)] * 6] * 2}, "left and right joints"),
    ],
)
def test_2d_joints_of_other_kinds_are_refused(tmp_path, motion, metadata, message):
    write_prepared(tmp_path, motion, ())
    write_2d(tmp_path, pixels(motion), "detectron_pt_coco", **metadata)
    with pytest.raises(ValueError, match=rf"detectron_pt_coco\.npz: .*{message}"):
        load(tmp_path, "test", "detectron_pt_coco")
    assert len(load(tmp_path, "test", None)) == 59


FAULTY_2D = {
    "too few frames": (lambda c: [view[:5] for view in c], r"camera 54138969 has 5 frames, the motion has"),
    "a camera less": (lambda c: c[:3], r"S9/Eating has 3 cameras, expected 4"),
    "16 joints": (lambda c: [view[:, :16] for view in c], r"camera 55011271 has shape \(\d+, 16, 2\)"),
    "NaN": (lambda c: [view * np.nan for view in c], r"camera 60457274 holds NaN or infinity in \d+ frames"),
    "whole numbers": (lambda c: [view.astype(int) for view in c], r"camera 58860488 holds int64"),
    "other cameras": (lambda c: c[::-1], r"of 1 sequences of 59 are far .* those of S9/Eating in camera"),
    "normalised": (lambda c: [view / 500 - 1 for view in c], r"of 1 sequences of 59 are far .* S9/Eating"),
    "no arrays": (lambda c: [1, 2, 3, 4], r"S9/Eating camera 54138969 has int, expected"),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTY_2D.values(), ids=FAULTY_2D)
def test_faulty_detections_are_told(tmp_path, motion, spoil, message):
    table = pixels(motion)
    table["S9"]["Eating"] = spoil(table["S9"]["Eating"])
    write_prepared(tmp_path, motion, ())
    write_2d(tmp_path, table)
    with pytest.raises(ValueError, match=rf"^[^\n]*h36m_cpn\.npz: [^\n]*{message}[^\n]*$"):
        load(tmp_path, "test", "cpn")


FAULTY_3D = {
    "17 joints": (lambda a: a[:, :17], r"has shape \(\d+, 17, 3\), expected \('frames', 32, 3\)"),
    "no frames": (lambda a: a[:0], r"has shape \(0, 32, 3\)"),
    "infinity": (
        lambda a: np.where(a == a[3, 5, 0], np.inf, a),
        r"infinity in 1 frames, .* frame 3$",
    ),
    "millimetres": (lambda a: a * 1000, r"has joints \d+ from the origin, expected metres"),
    "feet": (lambda a: a * 3.28, r"has thighs of a length of 1\.\d+"),
    "integers": (lambda a: a.astype(int), r"holds int64"),
    "a list": (lambda a: a.tolist(), r"has list"),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTY_3D.values(), ids=FAULTY_3D)
def test_faulty_motion_is_told(tmp_path, motion, spoil, message):
    table = positions(motion)
    table["S9"]["Eating"] = spoil(table["S9"]["Eating"])
    write_3d(tmp_path, table)
    with pytest.raises(ValueError, match=rf"data_3d_h36m\.npz: S9/Eating {message}|S9/Eating .*{message}"):
        load(tmp_path, "test", None)


def test_check_tells_every_fault_at_once_and_load_those_of_its_split(tmp_path, everybody):
    joints, seen = positions(everybody), pixels(everybody)
    del joints["S5"], joints["S6"]["Walking"], seen["S9"]["Posing"]
    joints["S7"]["Dancing"] = joints["S7"]["Eating"]
    joints["S8"]["Eating 1"] = joints["S8"]["Eating 1"] * 1000
    joints["S11"]["Photo"][2, 3] = np.nan
    seen["S11"]["Greeting"][2] = seen["S11"]["Greeting"][2][:4]
    seen["S9"]["Waiting"] = seen["S9"]["Waiting"][::-1]
    write_3d(tmp_path, joints)
    write_2d(tmp_path, seen)
    train = ["S7 has unknown actions: Dancing", "S8/Eating 1 has joints"]
    test = ["S11/Photo holds NaN or infinity in 1 frames, the first is frame 2"]
    test += ["S11/Greeting camera 58860488 has 4 frames, the motion has", "those of S9/Waiting in camera"]
    splits: list[tuple[Split, str | None, list[str], list[str]]]
    splits = [("train", None, train, test), ("test", "cpn", test, train)]
    for split, detector, told, untold in splits:
        with pytest.raises(ValueError, match=r"h36m\.npz: ") as error:
            load(tmp_path, split, detector)
        assert all(fault in str(error.value) for fault in told)
        assert not any(fault in str(error.value) for fault in untold)
        assert str(error.value).count("; ") == len(told) - 1
    faults = check(tmp_path).errors
    for fault in (*train, *test):
        assert sum(fault in told for told in faults) == 1, fault
    assert len(faults) == 5


def test_check_counts_what_is_there(tmp_path, motion):
    write_prepared(tmp_path, motion)
    facts, faults = check(tmp_path)
    frames = 4 * sum(len(joints) for names in motion.values() for joints in names.values())
    assert any(f"test (S9, S11): 59 sequences, {frames} frames in all cameras" in fact for fact in facts)
    assert "detections gt: 0.00 px from the projected 3D joints (median)" in facts
    assert any(fact.startswith("detections cpn_ft_h36m_dbb: 5.") for fact in facts)
    assert "missing of train: S1, S5, S6, S7, S8" in facts
    assert not faults


def test_a_hostile_archive_runs_nothing(tmp_path, motion):
    table: Any = {"S9": functools.partial(os.system, f"touch '{tmp_path / 'trace'}'")}
    write_prepared(tmp_path, motion, ("gt",))
    write_2d(tmp_path, table)
    with pytest.raises(ValueError, match=r"cpn\.npz: positions_2d: its pickle names 'functools\.partial'"):
        load(tmp_path, "test", "cpn")
    write_3d(tmp_path, table)
    with pytest.raises(ValueError, match=r"data_3d_h36m\.npz: .* 'functools\.partial'"):
        load(tmp_path, "test", None)
    assert not (tmp_path / "trace").exists()


def test_archives_without_their_dictionaries_are_told(tmp_path, motion):
    write_prepared(tmp_path, motion, ())
    write_objects(tmp_path / "data_2d_h36m_a.npz", positions_2d={})
    write_objects(tmp_path / "data_2d_h36m_b.npz", metadata=METADATA)
    (tmp_path / "data_2d_h36m_c.npz").write_text("not found")
    for detector, message in {"a": "'metadata'", "b": "'positions_2d'", "c": "not a readable"}.items():
        with pytest.raises(ValueError, match=rf"h36m_{detector}\.npz: .*{message}"):
            load(tmp_path, "test", detector)
    write_objects(tmp_path / "data_3d_h36m.npz", positions={})
    with pytest.raises(ValueError, match=r"data_3d_h36m\.npz: has no dictionary 'positions_3d'"):
        load(tmp_path, "test", None)


def test_the_files_of_other_subjects_stay_closed(tmp_path, motion):
    write_original(tmp_path, motion)
    (tmp_path / "Poses_D3_Positions_S1.tgz").write_text("broken")
    assert_same(load(tmp_path, "test", None), motion)
    with pytest.raises(ValueError, match=r"Positions_S1\.tgz: not a readable \.tgz archive"):
        load(tmp_path, "train", None)


def test_a_pose_may_be_one_record_or_one_a_frame(tmp_path, motion):
    write_original(tmp_path, motion, packed=False)
    for name, joints in motion["S9"].items():
        path = tmp_path / f"S9/MyPoseFeatures/D3_Positions/{name}.cdf"
        path.write_bytes(cdf_file(to_32_joints(joints) * 1000, one_record=False))
    assert_same(load(tmp_path, "test", None), motion)


def test_an_archive_writes_nothing_and_gives_nothing_but_its_subjects_positions(tmp_path, motion):
    """It has members with foreign and dangerous paths, links, and files that macOS adds."""
    folder = "S9/MyPoseFeatures/D3_Positions"
    strangers = ["../evil.cdf", f"{tmp_path}/evil.cdf", f"{folder}/../../../../evil.cdf"]
    strangers += [f"{folder}/._Eating.cdf", f"{folder}_mono/Eating.cdf", f"{folder}/Eating.txt"]
    strangers += ["Eating.cdf", "S1/MyPoseFeatures/D3_Positions/Eating.cdf"]
    write_original(tmp_path / "data", motion)
    path, raw = tmp_path / "data/Poses_D3_Positions_S9.tgz", io.BytesIO()
    with tarfile.open(path) as given, tarfile.open(fileobj=raw, mode="w") as archive:
        for member in given:
            archive.addfile(member, given.extractfile(member))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"{folder}/Dancing {kind.decode()}.cdf")
            member.type, member.linkname = kind, "/etc/hostname"
            archive.addfile(member)
        for name in strangers:
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
    path.write_bytes(gzip.compress(raw.getvalue(), compresslevel=1))
    assert_same(load(tmp_path / "data", "test", None), motion)
    left = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"Poses_D3_Positions_S9.tgz", "Poses_D3_Positions_S11.tgz"}


def test_a_truncated_archive_gets_one_line(tmp_path, motion):
    write_original(tmp_path, motion)
    path = tmp_path / "Poses_D3_Positions_S9.tgz"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"^[^\n]*S9\.tgz: not a readable \.tgz archive \([^\n]+\)$"):
        load(tmp_path, "test", None)


def test_faulty_cdf_files_are_told_by_sequence(tmp_path, motion):
    write_original(tmp_path, motion, packed=False)
    joints, folder = to_32_joints(motion["S9"]["Eating"]), tmp_path / "S9/MyPoseFeatures/D3_Positions"
    (folder / "Eating.cdf").write_bytes((folder / "Eating.cdf").read_bytes()[:900])
    (folder / "Phoning.cdf").write_bytes(b"")
    (folder / "Photo.cdf").write_bytes(cdf_file(joints * 1000, "Position"))
    (folder / "Posing.cdf").write_bytes(cdf_file(joints[:, :17] * 1000))
    (folder / "Purchases.cdf").write_bytes(cdf_file(joints))
    with pytest.raises(ValueError, match=r"D3_Positions: S9/Eating is no readable CDF file") as error:
        load(tmp_path, "test", None)
    for fault in (
        "S9/Phoning is no readable CDF file with a variable 'Pose'",
        "S9/Photo is no readable CDF file with a variable 'Pose'",
        "S9/Posing has a 'Pose' of float32 (1, ",
        "S9/Purchases has thighs of a length of 0.000",
    ):
        assert fault in str(error.value)
    assert str(error.value).count("; ") == 4
    assert "\n" not in str(error.value)


def test_without_cdflib_the_extra_is_named_once(tmp_path, motion, monkeypatch):
    write_original(tmp_path / "original", motion)
    write_prepared(tmp_path / "prepared", motion, ())
    monkeypatch.setitem(sys.modules, "cdflib", None)
    message = "cdflib is missing; install it with: pip install 'spgnet[datasets]'"
    with pytest.raises(ValueError, match=r"^cdflib is missing; .*pip install 'spgnet\[datasets\]'$"):
        load(tmp_path / "original", "test", None)
    assert check(tmp_path / "original").errors == [message]
    assert_same(load(tmp_path / "prepared", "test", None), motion)


def test_an_archive_of_one_subject_alone_may_have_no_folder_of_that_name(tmp_path, motion):
    write_original(tmp_path, motion, packed=False)
    for subject in TEST:
        files = sorted((tmp_path / subject).rglob("*.cdf"))
        members = {str(file.relative_to(tmp_path / subject)): file.read_bytes() for file in files}
        write_archive(tmp_path / f"Poses_D3_Positions_{subject}.tgz", members)
        (tmp_path / subject).rename(tmp_path / f"not {subject}")
    assert_same(load(tmp_path, "test", None), motion)
