"""The test set of MPI-INF-3DHP: files that the tests write as MATLAB does, read back."""

import sys

import h5py
import numpy as np
import pytest
import torch
from mpi_inf_3dhp_files import FRAMES, SCALE, THEIRS, VALID, a_sequence, all_sequences, the_camera, write

from spgnet.data.dataset import project_takes
from spgnet.datasets.mpi_inf_3dhp import ACTIVITIES, MPI_INF_3DHP_FORMAT, SEQUENCES
from spgnet.geometry.skeleton import HUMAN36M


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


def test_takes_are_stretches_of_one_activity_whose_valid_frames_are_scored(written):
    takes = [take for take in load(written) if take.subject == "TS3"]
    assert [(take.name, len(take), take.action) for take in takes] == [
        ("TS3@0", 7, "Standing/Walking"),
        ("TS3@7", 17, "Sports"),
    ]
    assert torch.cat([take.eval_mask for take in takes]).nonzero().flatten().tolist() == VALID


def test_a_stretch_without_a_valid_frame_is_left_out(tmp_path):
    def interlude(arrays):
        arrays["activity_annotation"][:, 10:14] = 3

    takes = [take for take in load(spoilt(tmp_path, interlude)) if take.subject == "TS2"]
    assert [(take.name, len(take)) for take in takes] == [("TS2@0", 7), ("TS2@7", 3), ("TS2@14", 10)]


def test_frames_between_the_valid_ones_are_input_as_the_file_has_them(written):
    for take in load(written, "gt"):
        name, start = take.name.split("@")
        held = a_sequence(name)["annot2"][:, :, 0].transpose(2, 1, 0)[int(start) : int(start) + len(take)]
        for index, joint in enumerate(THEIRS):
            pixels = take.detections["gt"][0, :, HUMAN36M.names.index(joint)]
            np.testing.assert_allclose(pixels, held[:, index], atol=1e-3)


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
        assert not take.unmeasured_joints


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


def test_frames_that_are_not_valid_may_hold_anything(written, tmp_path):
    def blot(arrays):
        for key in ("annot2", "annot3", "univ_annot3"):
            arrays[key][..., 10:14] = np.nan
        arrays["activity_annotation"][:, 10:14] = 0
        arrays["annot3"][..., 16:20] = -1e6

    whole = load(written, "gt")
    for take, twin in zip(load(spoilt(tmp_path, blot), "gt"), whole, strict=True):
        assert take.name == twin.name
        assert torch.equal(take.eval_mask, twin.eval_mask)
        torch.testing.assert_close(take.joints[take.eval_mask], twin.joints[take.eval_mask])
        torch.testing.assert_close(take.cameras.focal, twin.cameras.focal)
        torch.testing.assert_close(
            take.detections["gt"][:, take.eval_mask], twin.detections["gt"][:, take.eval_mask]
        )


@pytest.mark.parametrize("fault", ["2D is lost", "3D is lost", "3D is behind", "3D is too near"])
def test_frames_that_cannot_be_filmed_take_the_nearest_valid_ones_values(written, tmp_path, fault):
    """Frames 3 and 4 lie between the valid ones 2 and 5 of their stretch, 10 to 14 between 9 and 15."""
    lost = [3, 4, 10, 11, 13, 14]

    def lose(arrays):
        if fault == "2D is lost":
            arrays["annot2"][0, 4, 0, lost] = np.nan
        elif fault == "3D is lost":
            arrays["univ_annot3"][2, 16, 0, lost] = np.nan
        else:
            depth = -1000 if fault == "3D is behind" else 290 / SCALE
            shift = depth - arrays["annot3"][2, :, 0, lost].min(axis=1)
            arrays["annot3"][2, :, 0, lost] += shift[:, None]

    whole = load(written, "gt")
    spoiled = load(spoilt(tmp_path, lose), "gt")
    assert len(project_takes(spoiled, detector="gt").joints) == len(SEQUENCES) * FRAMES
    source = [0, 1, 2, 2, 5, 5, 6, 7, 8, 9, 9, 9, 12, 15, 15, *range(15, FRAMES)]
    joints, twin = (torch.cat([t.joints for t in takes if t.subject == "TS2"]) for takes in (spoiled, whole))
    torch.testing.assert_close(joints, twin[source])
    pixels, twin = (
        torch.cat([t.detections["gt"][0] for t in takes if t.subject == "TS2"]) for takes in (spoiled, whole)
    )
    torch.testing.assert_close(pixels, twin[source])


def test_a_frame_of_no_known_activity_does_not_cut_a_stretch(tmp_path):
    def forget(arrays):
        arrays["activity_annotation"][:, [3, 10, 11, 12]] = 0
        arrays["activity_annotation"][:, [4, 13]] = np.nan

    takes = [take for take in load(spoilt(tmp_path, forget)) if take.subject == "TS2"]
    assert [(take.name, len(take)) for take in takes] == [("TS2@0", 7), ("TS2@7", 17)]


def test_takes_become_views(written):
    dataset = project_takes(load(written, "gt"), detector="gt")
    assert len(dataset) == 2 * len(SEQUENCES)
    assert dataset.eval_mask.sum() == len(VALID) * len(SEQUENCES)
    assert set(dataset.actions) == {ACTIVITIES[0], ACTIVITIES[5]}


def test_check_tells_what_is_there(written):
    facts, faults = MPI_INF_3DHP_FORMAT.check(written)
    assert not faults
    assert [fact.split(":")[0] for fact in facts] == list(SEQUENCES)
    assert "13 valid of 24 frames, in 2 takes of up to 17" in facts[0]
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
    told = MPI_INF_3DHP_FORMAT.check(write(tmp_path, **sequences)).errors
    expected = {
        "TS1": ["no such file"],
        "TS2": ["arrays univ_annot3 are missing", "annot2 has shape (24, 1, 16, 2), expected"],
        "TS3": [
            "annot3 holds NaN, infinity or immense numbers in 2 valid frames, the first is 6",
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
    (fault,) = MPI_INF_3DHP_FORMAT.check(written).errors
    assert fault == "h5py is missing; install it with: pip install 'spgnet[datasets]'"
    with pytest.raises(ValueError, match=r"spgnet\[datasets\]"):
        load(written)
