"""The training set of MPI-INF-3DHP: files that the tests write as MATLAB does, read back."""

import json

import numpy as np
import pytest
import torch
from mpi_inf_3dhp_files import (
    ALL_JOINTS,
    FRAMES,
    THEIRS,
    TRAINING_SCALE,
    VALID,
    all_sequences,
    training_arrays,
    training_joints,
    training_rig,
    write,
    write_training,
)
from scipy.io import loadmat

from spgnet.data.dataset import project_takes
from spgnet.datasets import mpi_inf_3dhp_training
from spgnet.datasets.mpi_inf_3dhp import MPI_INF_3DHP_FORMAT
from spgnet.errors import InputError
from spgnet.evaluation import lift_dataset
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.training.runs import load_run

SEQUENCES = ("S1/Seq1", "S2/Seq2")
USED = [0, 1, 2, 4, 5, 6, 7, 8]


def key(name: str) -> str:
    return name.replace("/", "_")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    write(folder / "mpi_inf_3dhp_test_set", **all_sequences())
    return write_training(folder, **{key(name): training_arrays(name) for name in SEQUENCES})


def load(path, detector="gt"):
    return MPI_INF_3DHP_FORMAT.load(path, "train", detector)


def test_the_layout_is_what_scipy_shows_of_the_real_files(written):
    held = loadmat(written / "S1" / "Seq1" / "annot.mat")
    assert held["annot2"].shape == held["annot3"].shape == held["univ_annot3"].shape == (14, 1)
    assert held["annot2"][3, 0].shape == (FRAMES, 56)
    assert held["annot3"][3, 0].shape == held["univ_annot3"][3, 0].shape == (FRAMES, 84)
    assert held["cameras"][0].tolist() == list(range(14))
    assert held["frames"].shape == (FRAMES, 1)


def test_a_take_is_a_sequence_by_the_eight_cameras_of_the_field(written):
    takes = load(written)
    assert [(take.name, take.subject, take.action, len(take)) for take in takes] == [
        ("S1/Seq1", "S1", "Seq1", FRAMES),
        ("S2/Seq2", "S2", "Seq2", FRAMES),
    ]
    rig = training_rig()[torch.tensor(USED)]
    for take in takes:
        torch.testing.assert_close(take.cameras.position, TRAINING_SCALE * rig.position, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(take.cameras.rotation, rig.rotation, rtol=0, atol=1e-5)
        torch.testing.assert_close(take.cameras.focal, rig.focal)


def test_every_joint_lands_under_its_name_in_every_camera(written):
    for take in load(written):
        held = training_arrays(take.name)
        joints = take.cameras[:, None].world_to_camera(take.joints)
        for number, camera in enumerate(USED):
            real, pixels = (
                torch.from_numpy(held[array][camera, 0].reshape(FRAMES, 28, -1)).float()
                for array in ("univ_annot3", "annot2")
            )
            for index, joint in enumerate(ALL_JOINTS):
                if joint in HUMAN36M.names:
                    ours = HUMAN36M.names.index(joint)
                    expected = (real[:, index] - real[:, 4]) / 1000
                    pose = joints[number, :, ours] - joints[number, :, 0]
                    torch.testing.assert_close(pose, expected, rtol=0, atol=1e-4)
                    torch.testing.assert_close(
                        take.detections["gt"][number, :, ours], pixels[:, index], rtol=0, atol=1e-3
                    )


def test_the_universal_skeleton_projects_onto_the_2d_and_stands_upright(written):
    for take in load(written):
        seen = take.cameras[:, None].world_to_image(take.joints)
        assert (seen - take.detections["gt"]).abs().max() < 0.05
        world = training_joints(take.name)[:, [ALL_JOINTS.index(joint) for joint in ("head_top", "pelvis")]]
        heights = take.joints[:, [HUMAN36M.names.index("head_top"), 0], 2]
        torch.testing.assert_close(heights, TRAINING_SCALE * world[..., 2], rtol=1e-3, atol=1e-3)


def test_rows_beyond_the_frames_of_the_video_are_left_out(written, monkeypatch):
    monkeypatch.setitem(mpi_inf_3dhp_training.FRAMES, "S1/Seq1", 7)
    assert [len(take) for take in load(written)] == [7, FRAMES]


def test_either_set_may_be_there_alone(written, tmp_path):
    assert len(MPI_INF_3DHP_FORMAT.load(written, "test", "gt")) == 12
    folder = write_training(tmp_path, S3_Seq1=training_arrays("S3/Seq1"))
    assert MPI_INF_3DHP_FORMAT.recognises(folder)
    assert MPI_INF_3DHP_FORMAT.load(folder, "test", "gt") == []
    assert MPI_INF_3DHP_FORMAT.load(folder, "validation", "gt") == []
    facts, errors = MPI_INF_3DHP_FORMAT.check(folder)
    assert not errors
    assert facts[0].startswith(f"S3/Seq1: {FRAMES} frames by 8 cameras; annot2 is 0.00 px")
    assert f"is {TRAINING_SCALE:.3f} times as large" in facts[0]
    assert facts[1].startswith("missing of train: S1/Seq1, S1/Seq2, S2/Seq1")
    assert "S3/Seq1" not in facts[1]


def faulty(change) -> dict[str, np.ndarray]:
    arrays = training_arrays("S1/Seq1")
    change(arrays)
    return arrays


def _cut_joints(arrays):
    arrays["annot2"][4, 0] = arrays["annot2"][4, 0][:, :54]
    arrays["annot3"][0, 0] = arrays["annot3"][0, 0][:3]


def _lose_values(arrays):
    arrays["annot3"][5, 0][6:8, 3] = np.nan
    arrays["univ_annot3"][1, 0] *= -1


def _to_metres(arrays):
    arrays["annot3"] = arrays["annot3"] / 1000


def _lose_arrays(arrays):
    del arrays["annot2"], arrays["cameras"]


def _lose_cameras(arrays):
    arrays["cameras"] = arrays["cameras"] + 1


def _shuffle_cameras(arrays):
    arrays["annot2"] = arrays["annot2"][::-1]


def _plain_array(arrays):
    arrays["annot3"] = np.zeros((14, 5))


def _one_point(arrays):
    for array in ("annot3", "univ_annot3"):
        for camera in range(14):
            arrays[array][camera, 0] = np.full((FRAMES, 84), 1000.0)


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (
            _cut_joints,
            [
                f"annot2 of camera 4 has shape ({FRAMES}, 54), expected ({FRAMES}, 56)",
                f"annot3 of camera 0 has shape (3, 84), expected ({FRAMES}, 84)",
            ],
        ),
        (
            _lose_values,
            [
                "annot3 of camera 5 holds NaN, infinity or immense numbers in 2 frames, the first is 6",
                "univ_annot3 of camera 1 has joints behind the camera",
            ],
        ),
        (_to_metres, ["annot3 of camera 0 is", "expected millimetres"]),
        (_lose_arrays, ["arrays annot2, cameras are missing"]),
        (_lose_cameras, ["cameras lacks 0"]),
        (_shuffle_cameras, ["annot2 is no projection of annot3 by camera.calibration"]),
        (_plain_array, ["annot3 has no cells, expected one for each of the 14 cameras"]),
        (_one_point, ["univ_annot3 is nan times as large as annot3"]),
    ],
)
def test_a_fault_of_the_annotations_is_named(tmp_path, change, messages):
    folder = write_training(tmp_path, S1_Seq1=faulty(change))
    (error,) = MPI_INF_3DHP_FORMAT.check(folder).errors
    assert error.startswith(f"{folder / 'S1' / 'Seq1' / 'annot.mat'}: ")
    for message in messages:
        assert message in error
    with pytest.raises(InputError):
        load(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name          4\n", "name          44\n", "cameras 4 are missing"),
        ("  radial      0\n", "  radial      0.1\n", "camera 0: radial is 0.1, expected 0"),
        ("  size        2048 2048\n", "  size        2048\n", "camera 0: size is 2048, expected 2 numbers"),
        ("  size        2048 2048\n", "", "camera 0: size is missing, expected 2 numbers"),
        ("  extrinsic   ", "  extrinsic   7 ", "camera 0: extrinsic is 7 "),
        ("  intrinsic   1", "  intrinsic   -1", "camera 0: camera values must be finite and focal lengths"),
        ("  extrinsic   ", "  extrinsic   nan", "camera 0: extrinsic is nan"),
        ("  extrinsic   ", "  extrinsic   9", "camera 0: rotation is not a rotation matrix"),
    ],
)
def test_a_fault_of_the_calibration_is_named(written, tmp_path, old, new, message):
    folder = tmp_path / "S1" / "Seq1"
    folder.mkdir(parents=True)
    for name in ("annot.mat", "camera.calibration"):
        (folder / name).write_bytes((written / "S1" / "Seq1" / name).read_bytes())
    file = folder / "camera.calibration"
    file.write_text(file.read_text().replace(old, new))
    (error,) = MPI_INF_3DHP_FORMAT.check(tmp_path).errors
    assert error.startswith(f"{file}: {message}")


def test_the_faults_of_all_files_are_listed_and_load_raises_them_in_one_line(written, tmp_path):
    folder = write_training(
        tmp_path, S1_Seq1=faulty(_to_metres), S1_Seq2=training_arrays("S1/Seq2"), S7_Seq1=faulty(_lose_arrays)
    )
    (folder / "S1" / "Seq2" / "annot.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    (folder / "S7" / "Seq1" / "camera.calibration").unlink()
    told = MPI_INF_3DHP_FORMAT.check(folder).errors
    expected = (
        ("S1/Seq1", "millimetres"),
        ("S1/Seq2", "not a readable MATLAB 5 file"),
        ("S7/Seq1", "camera.calibration: no such file"),
    )
    assert len(told) == len(expected)
    for error, (name, part) in zip(told, expected, strict=True):
        assert str(folder / name / "annot.mat") in error
        assert part in error
    assert "arrays annot2, cameras are missing" in told[2]
    with pytest.raises(InputError) as error:
        load(folder)
    assert str(error.value) == "; ".join(told)
    assert "\n" not in str(error.value)


def test_a_small_file_that_unpacks_to_much_is_refused_before_it_does(written, tmp_path):
    arrays = training_arrays("S1/Seq1") | {"annot2": np.zeros((2**23 + 1, 1))}
    (error,) = MPI_INF_3DHP_FORMAT.check(write_training(tmp_path, S1_Seq1=arrays)).errors
    assert "its arrays have" in error
    assert "expected at most 64 of such a file" in error


def test_training_and_evaluation_end_in_the_scores_of_the_field(written, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output = command("data", "check", str(written))
    assert code is None
    assert "S2/Seq2: 24 frames by 8 cameras" in output
    assert "TS6: 13 valid" in output
    options = ("--channels", "8", "--trajectory-channels", "4", "--epochs", "1", "--batch-size", "64")
    data = ("--data.takes", str(written), "--data.input", "detected", "--data.detector", "gt")
    code, output = command("train", "paper-27", *options, *data, "--out", "run")
    assert code is None
    assert "missing of the training data: S1/Seq2, S2/Seq1" in output
    log = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert log["step"] == 2 * 8 * len(SEQUENCES) * FRAMES // 64  # every frame of every camera, and mirrored
    code, output = command("evaluate", "run")
    assert code is None
    assert f"{6 * len(VALID)} of the 2929 frames of MPI-INF-3DHP's test split" in output
    (file,) = (tmp_path / "run").glob("evaluation-*.json")
    scores = json.loads(file.read_text())
    assert scores["frames"] == 6 * len(VALID)
    assert set(scores["actions"]) == {"Standing/Walking", "Sports"}
    _, model = load_run(tmp_path / "run")
    dataset = project_takes(MPI_INF_3DHP_FORMAT.load(written, "test", "gt"), detector="gt")
    predicted = lift_dataset(model, dataset, flip=True)
    means = scores["mean_over_frames"]
    for name in ("mpjpe", "pck", "auc"):
        expected = [
            official(predicted[frame], dataset.joints[frame])[name]
            for frame in range(len(predicted))
            if frame % FRAMES in VALID
        ]
        assert means[name] == pytest.approx(np.mean(expected), rel=1e-4)
    table = file.with_suffix(".md").read_text()
    for name, unit in (("MPJPE (P1)", "mm"), ("PCK@150", "%"), ("AUC", "%")):
        assert f"{name} [{unit}]" in table


def official(predicted, true) -> dict[str, float]:
    """What the test set's own scripts compute of a frame, in plain loops: 17 joints, and 14 of them."""
    errors = {}
    for joint in THEIRS:
        index = HUMAN36M.names.index(joint)
        offset = (predicted[index] - predicted[0]) - (true[index] - true[0])
        errors[joint] = 1000 * float(offset.norm())
    counted = [error for joint, error in errors.items() if joint not in ("pelvis", "spine", "nose")]
    curve = [100 * sum(error < limit for error in counted) / 14 for limit in range(0, 151, 5)]
    return {"mpjpe": sum(errors.values()) / 17, "pck": curve[-1], "auc": sum(curve) / 31}
