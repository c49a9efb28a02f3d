"""The motion and its file."""

import errno
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spgnet.camera_files import IntrinsicsSource, load_camera
from spgnet.errors import InputError
from spgnet.geometry.camera import EXTRINSICS, UPRIGHT, opencv_camera
from spgnet.geometry.joint_angles import joint_angles
from spgnet.lifting.motion import Motion, load_motion, save_motion


@pytest.fixture
def motion() -> Motion:
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(5, 17, 3)).astype(np.float32) + np.float32([0, 0, 4])
    return Motion(
        joints=joints,
        confidence=rng.random((5, 17)).astype(np.float32),
        pixels=rng.random((5, 17, 2)).astype(np.float32),
        timestamps=np.arange(5) / 25,
        camera=opencv_camera(
            [[900, 0, 360], [0, 910, 640], [0, 0, 1]], [0.1, 0.2, 0.01, 0.02, 0.3], (720, 1280)
        ),
        camera_source="a test (no camera given)",
        intrinsics_source=IntrinsicsSource.VIDEO_METADATA,
        track=2,
        weights="none",
    )


def test_a_motion_file_gives_back_what_was_saved(tmp_path, motion):
    save_motion(tmp_path / "motion.npz", motion)
    loaded = load_motion(tmp_path / "motion.npz")
    for name in ("joints", "confidence", "pixels", "timestamps"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(motion, name))
    for name in ("focal", "center", "radial", "tangential", "rotation", "position", "image_size"):
        torch.testing.assert_close(getattr(loaded.camera, name), getattr(motion.camera, name))
    assert (loaded.camera_source, loaded.track, loaded.weights) == (motion.camera_source, 2, "none")
    assert loaded.intrinsics_source is IntrinsicsSource.VIDEO_METADATA
    assert loaded.fps == pytest.approx(25)


@pytest.mark.parametrize(
    ("lens", "fisheye"),
    [([0.1, 0.2, 0.01, 0.02, 0.3, 0.4, 0.1, 0.02], False), ([0.1, 0.02, 0.01, -0.01], True)],
)
def test_a_motion_file_keeps_the_lens_model(tmp_path, motion, lens, fisheye):
    camera = opencv_camera(np.diag([900, 910, 1]), lens, (720, 1280), fisheye=fisheye)
    path = tmp_path / "motion.npz"
    save_motion(path, replace(motion, camera=camera))
    for loaded in (load_motion(path).camera, load_camera(path)):
        assert loaded.distortion_model == camera.distortion_model
        torch.testing.assert_close(loaded.radial, camera.radial)
        torch.testing.assert_close(loaded.tangential, camera.tangential)
    rewrite(path, distortion=np.zeros(6))
    with pytest.raises(InputError, match=r"distortion has shape \(6,\), expected"):
        load_motion(path)
    rewrite(path, distortion_model="omni")
    with pytest.raises(InputError, match="the lens model 'omni' is not known"):
        load_motion(path)


def test_a_motion_file_of_before_lens_models_has_opencvs(tmp_path, motion):
    path = tmp_path / "motion.npz"
    save_motion(path, motion)
    with np.load(path) as archive:
        old = {name: value for name, value in archive.items() if name != "distortion_model"}
    np.savez(path, **old)
    assert load_motion(path).camera.convention == "opencv"
    torch.testing.assert_close(load_motion(path).camera.radial, motion.camera.radial)


def test_uncertainty_and_rejected_joints_are_kept_where_there_are_any(tmp_path, motion):
    path = tmp_path / "motion.npz"
    save_motion(path, motion)
    assert load_motion(path).uncertainty is None
    assert load_motion(path).rejected is None
    uncertainty = np.linspace(0, 1, 5 * 17, dtype=np.float32).reshape(5, 17)
    save_motion(path, replace(motion, uncertainty=uncertainty, rejected=uncertainty > 0.5))
    np.testing.assert_array_equal(load_motion(path).uncertainty, uncertainty)
    np.testing.assert_array_equal(load_motion(path).rejected, uncertainty > 0.5)


POSES = {
    "upright at the origin": {"rotation": torch.tensor(UPRIGHT), "position": torch.zeros(3)},
    "elsewhere": {"rotation": torch.eye(3), "position": torch.tensor([0.0, -4.0, 1.2])},
}


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("extrinsics", EXTRINSICS)
def test_a_motion_file_says_where_the_cameras_pose_comes_from_whatever_its_numbers(
    tmp_path, motion, extrinsics, pose
):
    path = tmp_path / "motion.npz"
    camera = replace(motion.camera, **POSES[pose], extrinsics=extrinsics)
    save_motion(path, replace(motion, camera=camera))
    assert np.load(path)["extrinsics_known"] == (extrinsics == "calibrated")
    for read in (load_motion(path).camera, load_camera(path)):
        assert read.extrinsics == extrinsics
        torch.testing.assert_close(read.rotation, camera.rotation)
        torch.testing.assert_close(read.position, camera.position)


@pytest.mark.parametrize(
    ("words", "source", "pose", "extrinsics"),
    [
        ("camera file c.json", "calibration_file", "upright at the origin", "arbitrary"),
        ("camera file c.json", "calibration_file", "elsewhere", "calibrated"),
        ("given camera", "given", "elsewhere", "calibrated"),
        ("default field of view of 65° (no camera given)", "assumed", "elsewhere", "estimated"),
        ("intrinsics of the keypoint file", "keypoint_file", "upright at the origin", "arbitrary"),
    ],
)
def test_what_a_motion_file_of_before_does_not_state_follows_from_its_words_and_numbers(
    tmp_path, motion, words, source, pose, extrinsics
):
    path = tmp_path / "motion.npz"
    save_motion(path, replace(motion, camera=replace(motion.camera, **POSES[pose]), camera_source=words))
    with np.load(path) as archive:
        old = dict(archive)
    del old["extrinsics"], old["extrinsics_known"], old["intrinsics_source"]
    np.savez(path, **old)
    assert load_motion(path).intrinsics_source is IntrinsicsSource(source)
    assert load_motion(path).camera.extrinsics == load_camera(path).extrinsics == extrinsics


def test_a_motion_file_opens_with_plain_numpy_and_holds_no_object(tmp_path, motion):
    save_motion(tmp_path / "motion.npz", motion)
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)
        assert archive["joint_names"][0] == "pelvis"


def test_the_world_of_an_upright_camera_has_z_up(motion):
    up_in_camera = replace(motion, joints=np.zeros((5, 17, 3), np.float32) + np.float32([0, -1, 0]))
    np.testing.assert_allclose(up_in_camera.world[0, 0], [0, 0, 1])


def test_joint_angles_are_those_of_the_world_and_turn_on_without_jumps(motion):
    c, s = np.cos(np.linspace(0, 9, len(motion))), np.sin(np.linspace(0, 9, len(motion)))
    turn = np.stack((np.stack((c, -s, 0 * c), -1), np.stack((s, c, 0 * c), -1), [[0, 0, 1]] * len(c)), axis=1)
    posed = np.random.default_rng(0).normal(size=(17, 3))
    camera = motion.camera.to(torch.float64)
    world = torch.from_numpy(posed @ turn.transpose(0, 2, 1))
    turning = replace(motion, joints=camera.world_to_camera(world).numpy())
    angles, found = turning.joint_angles(), joint_angles(world)
    assert angles.keys() == found.keys()
    for name, values in angles.items():
        if name == "pelvis_rotation":
            steps = np.degrees(np.linspace(0, 9, len(motion)))
            np.testing.assert_allclose(values - values[0], steps, atol=0.01)
        else:
            np.testing.assert_allclose(values, found[name], atol=0.01)


def test_an_incomplete_or_foreign_file_is_refused_by_name(tmp_path, motion):
    path = tmp_path / "motion.npz"
    with pytest.raises(ValueError, match="no such file"):
        load_motion(path)
    path.write_text("text")
    with pytest.raises(ValueError, match=r"motion\.npz: not an \.npz file"):
        load_motion(path)
    np.savez(path, joints=motion.joints)
    with pytest.raises(ValueError, match="lacks version, confidence, pixels"):
        load_motion(path)
    with path.open("wb") as file:
        np.save(file, motion.joints)
    with pytest.raises(ValueError, match=r"motion\.npz: not an \.npz file"):
        load_motion(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("joints", "text")
    with pytest.raises(ValueError, match=r"motion\.npz: not an \.npz file: joints in it is no array"):
        load_motion(path)


def test_a_camera_of_another_convention_is_refused(motion):
    with pytest.raises(ValueError, match="OpenCV's convention"):
        replace(motion, camera=replace(motion.camera, convention="human36m"))


def rewrite(path: Path, **changes: object) -> None:
    """Some of a file's arrays, replaced."""
    with np.load(path) as archive:
        values = dict(archive)
    np.savez(path, **(values | changes))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": 2}, "a motion file of version 2, expected version 1"),
        ({"version": "x"}, "a motion file of version x, expected version 1"),
        ({"timestamps": np.zeros(5)}, "timestamps do not increase from frame 0 to frame 1"),
        ({"track": np.zeros(2), "distortion": np.zeros(4)}, r"distortion has shape .*; track has shape"),
        ({"camera_matrix": np.full((3, 3), "x")}, "camera_matrix holds no numbers"),
        ({"rejected": np.full((5, 17), "x")}, "rejected holds no numbers"),
        ({"extrinsics": "good"}, "extrinsics is good, expected calibrated or estimated or arbitrary"),
        ({"intrinsics_source": "x"}, "intrinsics_source is x, expected calibration_file or keypoint_file"),
        ({"image_size": np.array([np.inf, 1])}, r"image_size is \[inf, 1\.0\], expected pixels"),
    ],
)
def test_contents_that_do_not_fit_are_named_after_the_file(tmp_path, motion, changes, fault):
    path = tmp_path / "motion.npz"
    save_motion(path, motion)
    rewrite(path)
    assert len(load_motion(path)) == 5
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=rf"motion\.npz: {fault}"):
        load_motion(path)


@pytest.mark.parametrize(
    ("times", "fault"),
    [
        ([0, 0, 0, 0, 0], "from frame 0 to frame 1"),
        ([0, 1, 3, 2, 4], "from frame 2 to frame 3"),
        ([0, 1, np.nan, 3, 4], "NaN or infinity"),
    ],
)
def test_a_motion_whose_time_does_not_increase_is_refused(motion, times, fault):
    with pytest.raises(ValueError, match=fault):
        replace(motion, timestamps=np.array(times, dtype=np.float64))


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_gives_a_motion_or_one_line(tmp_path, motion, seed):
    path = tmp_path / "motion.npz"
    save_motion(path, motion)
    rng, content = np.random.default_rng(seed), bytearray(path.read_bytes())
    for place in rng.integers(4, len(content), 3):
        content[place] = rng.integers(256)
    path.write_bytes(content)
    complaint = ""
    try:
        assert len(load_motion(path)) == 5
    except ValueError as fault:
        complaint = str(fault)
    assert not complaint or complaint.startswith(f"{path}: ")
    assert "\n" not in complaint


def test_paths_may_be_text(tmp_path, motion):
    save_motion(str(tmp_path / "motion.npz"), motion)
    assert len(load_motion(str(tmp_path / "motion.npz"))) == 5
    with pytest.raises(ValueError, match=r"none\.npz: no such file"):
        load_motion(str(tmp_path / "none.npz"))


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, motion):
    path = tmp_path / "motion.npz"
    save_motion(path, motion)
    before = path.read_bytes()

    def full(file, **_):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match=r"No space left.*motion\.npz'") as error:
        save_motion(path, motion)
    assert error.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_motion_saves_exports_and_shows_itself(tmp_path, motion, monkeypatch):
    from spgnet.view import page

    opened: list[str] = []
    monkeypatch.setattr(page.webbrowser, "open", opened.append)
    monkeypatch.setattr(page.tempfile, "tempdir", str(tmp_path))
    motion.save(tmp_path / "motion.npz")
    np.testing.assert_array_equal(load_motion(tmp_path / "motion.npz").joints, motion.joints)
    motion.export(tmp_path / "motion.bvh")
    assert (tmp_path / "motion.bvh").read_text().startswith("HIERARCHY")
    motion.export(str(tmp_path / "motion.txt"), format="csv")
    assert "left_wrist" in (tmp_path / "motion.txt").read_text()
    shown = motion.show()
    assert opened == [shown.as_uri()]
    assert tmp_path in shown.parents
    assert "<canvas" in shown.read_text()
