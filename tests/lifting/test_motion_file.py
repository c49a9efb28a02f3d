"""The motion and its file."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spgnet.camera import opencv_camera
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
        camera_source="a test",
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
    assert (loaded.camera_source, loaded.track, loaded.weights) == ("a test", 2, "none")
    assert loaded.fps == pytest.approx(25)


def test_a_motion_file_opens_with_plain_numpy_and_holds_no_object(tmp_path, motion):
    save_motion(tmp_path / "motion.npz", motion)
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)
        assert archive["joint_names"][0] == "pelvis"


def test_the_world_of_an_upright_camera_has_z_up(motion):
    up_in_camera = replace(motion, joints=np.zeros((5, 17, 3), np.float32) + np.float32([0, -1, 0]))
    np.testing.assert_allclose(up_in_camera.world[0, 0], [0, 0, 1])


def test_an_incomplete_or_foreign_file_is_refused_by_name(tmp_path, motion):
    path = tmp_path / "motion.npz"
    with pytest.raises(ValueError, match="no such file"):
        load_motion(path)
    path.write_text("text")
    with pytest.raises(ValueError, match=r"motion\.npz: not a readable"):
        load_motion(path)
    np.savez(path, joints=motion.joints)
    with pytest.raises(ValueError, match="lacks confidence, pixels"):
        load_motion(path)


def test_a_camera_of_another_convention_is_refused(motion):
    with pytest.raises(ValueError, match="OpenCV's convention"):
        replace(motion, camera=replace(motion.camera, convention="human36m"))
