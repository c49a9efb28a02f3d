"""The test set of MPI-INF-3DHP: files that the tests write as MATLAB does, read back."""

import sys

import h5py
import numpy as np
import pytest
import torch

from spgnet.camera import opencv_camera
from spgnet.data.mpi_inf_3dhp import ACTIVITIES, MPI_INF_3DHP_FORMAT, SEQUENCES
from spgnet.data.procedural import procedural_clips
from spgnet.data.views import film_takes
from spgnet.skeleton import HUMAN36M

THEIRS = [
    "head_top",
    "thorax",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "spine",
    "nose",
]
"""Our names in the order of ``mpii_get_joints('relevant')``: head_top, neck, right_shoulder, ..., head."""
VALID = [0, 1, 2, 5, 6, 7, 8, 9, 15, 20, 21, 22, 23]
FRAMES = 24
SCALE = 0.93
"""How large the universal skeleton is to the real one."""


def the_camera(name: str):
    """The official calibrations: of TS1 to TS4 without distortion, of TS5 and TS6 with."""
    if name in ("TS5", "TS6"):
        matrix = [[1684.0, 0, 939.9], [0, 1672.6, 559.9], [0, 0, 1]]
        return opencv_camera(matrix, [-0.27686, 0.131125, -0.00036, -0.00115, 0], (1920, 1080))
    return opencv_camera([[1500.2, 0, 1017.4], [0, 1500.8, 1043.0], [0, 0, 1]], None, (2048, 2048))


def a_sequence(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file as MATLAB has them: coordinates, joints, 1, frames."""
    (clip,) = procedural_clips(1, seed=int(name[2]), seconds=1.0)
    order = [HUMAN36M.names.index(joint) for joint in THEIRS]
    world = clip.joints[:FRAMES, order].double().numpy() - clip.joints[0, 0].double().numpy()
    # From one end of the room to the other: y down, z forward, 4 to 6 m away.
    path = np.stack([np.linspace(-0.8, 0.8, FRAMES), np.zeros(FRAMES), np.linspace(4, 6, FRAMES)], axis=1)
    joints = world @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]] + path[:, None]
    pixels = the_camera(name).to(torch.float64).camera_to_image(torch.from_numpy(joints)).numpy()
    valid = np.zeros((1, FRAMES))
    valid[:, VALID] = 1
    activity = np.ones((1, FRAMES))
    activity[:, 7:] = 6
    return {
        "annot2": pixels.transpose(2, 1, 0)[:, :, None],
        "annot3": 1000 * joints.transpose(2, 1, 0)[:, :, None],
        "univ_annot3": 1000 * SCALE * joints.transpose(2, 1, 0)[:, :, None],
        "valid_frame": valid,
        "activity_annotation": activity,
        "bb_crop": np.zeros((34, FRAMES)),
    }


def write(folder, **sequences):
    for name, arrays in sequences.items():
        (folder / name).mkdir(parents=True)
        with h5py.File(folder / name / "annot_data.mat", "w") as file:
            for key, array in arrays.items():
                file[key] = np.asarray(array).T  # MATLAB writes its columns first
    return folder


def all_sequences() -> dict:
    return {name: a_sequence(name) for name in SEQUENCES}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write(tmp_path_factory.mktemp("set") / "mpi_inf_3dhp_test_set", **all_sequences())


def spoilt(folder, change, name="TS2"):
    """All sequences, with a change to the arrays of one."""
    sequences = all_sequences()
    change(sequences[name])
    return write(folder, **sequences)


def load(path, detector=None):
    return MPI_INF_3DHP_FORMAT.load(path, "test", detector)


def test_the_layout_is_what_h5py_shows_of_the_real_files(written):
    with h5py.File(written / "TS1" / "annot_data.mat") as file:
        assert file["annot2"].shape == (FRAMES, 1, 17, 2)
        assert file["annot3"].shape == file["univ_annot3"].shape == (FRAMES, 1, 17, 3)
        assert file["valid_frame"].shape == file["activity_annotation"].shape == (FRAMES, 1)


def test_the_folder_and_the_one_around_it_are_recognised(written, tmp_path):
    assert MPI_INF_3DHP_FORMAT.recognises(written)
    assert MPI_INF_3DHP_FORMAT.recognises(written.parent)
    assert not MPI_INF_3DHP_FORMAT.recognises(tmp_path)
    assert len(load(written.parent)) == len(load(written))


def test_takes_are_runs_of_valid_frames_of_one_activity(written):
    takes = [take for take in load(written) if take.subject == "TS3"]
    assert [(take.name, len(take), take.action) for take in takes] == [
        ("TS3@0", 3, "Standing/Walking"),
        ("TS3@5", 2, "Standing/Walking"),
        ("TS3@7", 3, "Sports"),
        ("TS3@15", 1, "Sports"),
        ("TS3@20", 4, "Sports"),
    ]
    assert sum(map(len, takes)) == len(VALID)


def test_there_is_only_a_test_split(written):
    assert MPI_INF_3DHP_FORMAT.load(written, "train", "gt") == []
    assert MPI_INF_3DHP_FORMAT.load(written, "validation", None) == []


def test_every_joint_lands_under_its_name_in_metres_in_the_cameras_frame(written):
    for take in load(written):
        name, start = take.name.split("@")
        held = a_sequence(name)["univ_annot3"][:, :, 0].transpose(2, 1, 0) / 1000
        joints = take.cameras.world_to_camera(take.joints)
        for index, joint in enumerate(THEIRS):
            frames = slice(int(start), int(start) + len(take))
            np.testing.assert_allclose(joints[:, HUMAN36M.names.index(joint)], held[frames, index], atol=1e-5)
        assert not take.uncaptured


def test_people_stand_upright_in_the_world(written):
    for take in load(written):
        head, ankle = (take.joints[:, HUMAN36M.names.index(n), 2] for n in ("head_top", "left_ankle"))
        assert (head > ankle + 0.5).all()


@pytest.mark.parametrize("about", ["the camera", "the pelvis"])
def test_scores_are_of_the_universal_skeleton_and_its_joints_project_onto_the_2d(tmp_path, about):
    """Whichever point the universal skeleton was scaled about."""
    sequences = all_sequences()
    for arrays in sequences.values():
        if about == "the pelvis":
            real = arrays["annot3"]
            arrays["univ_annot3"] = SCALE * (real - real[:, 14:15]) + real[:, 14:15]
    for take in load(write(tmp_path, **sequences), "gt"):
        name, start = take.name.split("@")
        held = sequences[name]["univ_annot3"][:, :, 0].transpose(2, 1, 0)[int(start)] / 1000
        joints = take.cameras.world_to_camera(take.joints)[0]
        for index, joint in enumerate(THEIRS):
            np.testing.assert_allclose(
                joints[HUMAN36M.names.index(joint)] - joints[0], held[index] - held[14], atol=1e-5
            )
        assert (take.cameras.world_to_image(take.joints) - take.detections["gt"][0]).abs().max() < 0.05


def test_fitted_cameras_are_those_that_filmed(written):
    for take in load(written):
        true = the_camera(take.subject)
        torch.testing.assert_close(take.cameras.focal[0], true.focal, atol=0.05, rtol=0)
        torch.testing.assert_close(take.cameras.center[0], true.center, atol=0.05, rtol=0)
        torch.testing.assert_close(take.cameras.radial[0, :2], true.radial[:2], atol=2e-3, rtol=0)
        assert take.cameras.image_size[0].tolist() == true.image_size.tolist()


def test_a_lens_without_distortion_is_fitted_as_one(tmp_path):
    """Even to 2D joints that are a little off, as annotated ones are."""
    noise = np.random.default_rng(0).normal(0, 3, (2, 17, 1, FRAMES))

    def shake(arrays):
        arrays["annot2"] = arrays["annot2"] + noise

    for take in load(spoilt(tmp_path, shake, "TS1")):
        assert bool((take.cameras.radial != 0).any()) == (take.subject in ("TS5", "TS6"))


def test_frames_that_are_not_valid_may_hold_anything(tmp_path):
    def blot(arrays):
        for key in ("annot2", "annot3", "univ_annot3"):
            arrays[key][..., 10:14] = np.nan
        arrays["activity_annotation"][:, 10:14] = 0
        arrays["annot3"][..., 16:20] = -1e6

    whole = load(write(tmp_path / "a", **all_sequences()), "gt")
    for take, twin in zip(load(spoilt(tmp_path / "b", blot), "gt"), whole, strict=True):
        assert take.name == twin.name
        torch.testing.assert_close(take.joints, twin.joints)
        torch.testing.assert_close(take.cameras.focal, twin.cameras.focal)
        torch.testing.assert_close(take.detections["gt"], twin.detections["gt"])


def test_takes_become_views(written):
    views = film_takes(load(written, "gt"), detector="gt")
    assert len(views) == 5 * len(SEQUENCES)
    assert set(views.actions) == {ACTIVITIES[0], ACTIVITIES[5]}


def test_check_tells_what_is_there(written):
    facts, faults = MPI_INF_3DHP_FORMAT.check(written)
    assert not faults
    assert [fact.split(":")[0] for fact in facts] == list(SEQUENCES)
    assert "13 valid of 24 frames, in 5 takes of up to 4" in facts[0]
    assert (
        "focal lengths 1500.2, 1500.8 px (no distortion), fitted with a median error of 0.00 px" in facts[0]
    )
    assert "focal lengths 1684.0, 1672.6 px (with distortion)" in facts[5]
    assert f"{SCALE:.3f} times as large and moved by 0.0 mm" in facts[3]


def test_a_missing_detector_is_named_with_the_one_there(written):
    with pytest.raises(ValueError, match=r"'cpn' \(it has: gt\)"):
        load(written, "cpn")


def test_every_fault_is_listed_and_load_raises_them_in_one_line(tmp_path):
    sequences = all_sequences()
    del sequences["TS1"]
    del sequences["TS2"]["univ_annot3"]
    sequences["TS2"]["annot2"] = sequences["TS2"]["annot2"][:, :16]
    sequences["TS3"]["annot3"][0, 0, 0, 6:8] = np.nan
    sequences["TS3"]["activity_annotation"][0, 2] = 8
    sequences["TS4"]["annot3"] = sequences["TS4"]["annot3"] / 1000
    sequences["TS5"]["valid_frame"][:] = 0
    sequences["TS6"]["annot2"] = sequences["TS6"]["annot2"][..., ::-1]
    told = MPI_INF_3DHP_FORMAT.check(write(tmp_path, **sequences)).faults
    expected = {
        "TS1": ["no such file"],
        "TS2": ["arrays univ_annot3 are missing", "annot2 has shape (24, 1, 16, 2), expected"],
        "TS3": [
            "annot3 holds NaN or infinity in 2 valid frames, the first is 6",
            "activity_annotation holds 8, expected 1 to 7",
        ],
        "TS4": ["expected millimetres"],
        "TS5": ["no frame is valid"],
        "TS6": ["annot2 is no projection of annot3"],
    }
    assert len(told) == len(expected)
    for fault, (name, parts) in zip(told, expected.items(), strict=True):
        assert str(tmp_path / name / "annot_data.mat") in fault
        assert all(part in fault for part in parts)
    with pytest.raises(ValueError, match="TS1") as error:
        load(tmp_path, "gt")
    assert str(error.value) == "; ".join(told)
    assert "\n" not in str(error.value)


def test_joints_behind_the_camera_are_a_fault(tmp_path):
    def turn(arrays):
        arrays["annot3"] = -arrays["annot3"]

    with pytest.raises(ValueError, match=r"TS2.*annot3 has joints behind the camera"):
        load(spoilt(tmp_path, turn))


def test_a_file_of_another_format_is_told(tmp_path, written):
    for name in SEQUENCES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "annot_data.mat").write_bytes((written / name / "annot_data.mat").read_bytes())
    (tmp_path / "TS4" / "annot_data.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(ValueError, match=r"TS4.*not a readable MATLAB 7.3 file"):
        load(tmp_path)


def test_without_h5py_the_extra_is_named(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (fault,) = MPI_INF_3DHP_FORMAT.check(written).faults
    assert fault == "h5py is missing; install it with: pip install 'spgnet[datasets]'"
    with pytest.raises(ValueError, match=r"spgnet\[datasets\]"):
        load(written)
