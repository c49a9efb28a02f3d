"""OpenSim's motion files pose a model of segments as the motion is posed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spgnet.export import export
from spgnet.export.opensim_motion import COORDINATES
from spgnet.export.sampling import z_up_to_y_up
from spgnet.geometry.skeleton import HUMAN36M


def read(path):
    """The name, keys and columns of a file of type .mot or .sto, as OpenSim's Storage reads them."""
    lines = path.read_text().split("\n")
    end = lines.index("endheader")
    keys = dict(line.split("=", 1) for line in lines[1:end] if "=" in line)
    labels = lines[end + 1].split("\t")
    rows = np.array([line.split("\t") for line in lines[end + 2 : -1]], dtype=float)
    assert lines[-1] == ""
    assert (int(keys["nRows"]), int(keys["nColumns"])) == rows.shape
    assert keys["inDegrees"] == "yes"
    return lines[0], keys, dict(zip(labels, rows.T, strict=True))


def turned(columns, names, sign=1):
    """Rotation about z, then the turned x, then the turned y, as the model's joints have it."""
    first, second, third = (columns[name] for name in names)
    return Rotation.from_euler("ZXY", np.stack((first, sign * second, sign * third), axis=1), degrees=True)


@pytest.fixture(params=["mot", "sto"])
def columns(request, tmp_path, any_motion):
    export(any_motion, tmp_path / f"motion.{request.param}")
    return read(tmp_path / f"motion.{request.param}")[2]


def test_the_header_is_the_one_that_opensim_writes(tmp_path, motion):
    export(motion, tmp_path / "walk.mot")
    name, keys, columns = read(tmp_path / "walk.mot")
    assert name == "Coordinates"
    assert list(keys) == ["version", "nRows", "nColumns", "inDegrees"]
    assert keys["version"] == "1"
    assert tuple(columns) == ("time", *COORDINATES)
    np.testing.assert_allclose(columns["time"], np.arange(len(motion)) / 50, atol=1e-8)
    export(motion, tmp_path / "walk.sto")
    name, keys, table = read(tmp_path / "walk.sto")
    assert list(keys) == ["inDegrees", "nColumns", "nRows", "DataType", "version"]
    assert (name, keys["DataType"], keys["version"]) == ("Coordinates", "double", "3")
    assert all((table[label] == values).all() for label, values in columns.items())


def test_a_model_with_the_coordinates_stands_as_the_motion_does(columns, any_motion):
    places = dict(zip(HUMAN36M.names, z_up_to_y_up(any_motion.world).swapaxes(0, 1), strict=True))

    def same(rotation, axis, start, end, frames=slice(None)):
        direction = (places[end] - places[start])[frames]
        direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
        np.testing.assert_allclose(rotation.apply(axis)[frames], direction, atol=1e-4)

    pelvis = turned(columns, ("pelvis_tilt", "pelvis_list", "pelvis_rotation"))
    same(pelvis, (0, 0, 1), "left_hip", "right_hip")
    origin = np.stack([columns[f"pelvis_t{axis}"] for axis in "xyz"], axis=1)
    middle = (places["left_hip"] + places["right_hip"]) / 2
    np.testing.assert_allclose(origin + pelvis.apply((-0.056276, -0.07849, 0)), middle, atol=1e-5)
    trunk = pelvis * turned(columns, ("lumbar_extension", "lumbar_bending", "lumbar_rotation"))
    same(trunk, (0, 1, 0), "pelvis", "thorax")
    assert (columns["lumbar_extension"] == 0).all()
    for letter, side, sign in (("r", "right", 1), ("l", "left", -1)):
        for parent, stem, ball, hinge, end, bend, bends in (
            (pelvis, "hip_flexion hip_adduction hip_rotation", "hip", "knee", "ankle", "knee_angle", -1),
            (trunk, "arm_flex arm_add arm_rot", "shoulder", "elbow", "wrist", "elbow_flex", 1),
        ):
            upper = parent * turned(columns, [f"{name}_{letter}" for name in stem.split()], sign)
            same(upper, (0, -1, 0), f"{side}_{ball}", f"{side}_{hinge}")
            flexion = columns[f"{bend}_{letter}"]
            lower = upper * Rotation.from_euler("Z", bends * flexion[:, None], degrees=True)
            bent = flexion >= 30  # nearer to straight the limb's rotation is interpolated
            same(lower, (0, -1, 0), f"{side}_{hinge}", f"{side}_{end}", bent)


def test_every_coordinate_is_finite_and_turns_on_smoothly(columns):
    for name in COORDINATES:
        assert np.isfinite(columns[name]).all(), name
    for name in ("pelvis_tilt", "pelvis_rotation"):
        assert np.abs(np.diff(columns[name])).max() < 60, name


def test_the_rotation_of_a_limb_that_never_bends_is_zero(tmp_path, motion):
    joints = motion.joints.copy()
    joints[:, 3] = 2 * joints[:, 2] - joints[:, 1]  # the right ankle in line with its thigh
    export(replace(motion, joints=joints), tmp_path / "straight.mot")
    columns = read(tmp_path / "straight.mot")[2]
    assert (columns["hip_rotation_r"] == 0).all()
    assert np.abs(columns["knee_angle_r"]).max() < 0.1
    assert np.abs(columns["hip_rotation_l"]).max() > 1
