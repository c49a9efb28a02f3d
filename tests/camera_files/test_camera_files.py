"""Camera files of every format, against OpenCV; fitting to the image; the camera when there is no file."""

import json
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.camera_files import (
    IntrinsicsSource,
    default_camera,
    find_camera,
    fit_to_image,
    load_camera,
    save_camera,
)
from spgnet.camera_files.sources import early_source
from spgnet.errors import InputError
from spgnet.geometry.camera import UPRIGHT, Camera, opencv_camera
from spgnet.geometry.rigs import random_rig
from spgnet.keypoints import Keypoints

SHARED = Path(__file__).resolve().parents[3] / "shared"
MATRIX = np.array([[913.25, 0.0, 366.5], [0.0, 914.5, 638.5], [0.0, 0.0, 1.0]])
LENS = np.array([0.125, -0.28, -0.0003, 0.0007, 0.21])
SIZE = (720, 1280)
CAMERA = opencv_camera(MATRIX, LENS, SIZE)
FIELDS = ("focal", "center", "radial", "tangential", "rotation", "position", "image_size")

POSE2SIM = """
[cam_1]
name = "int_cam01_img"
size = [ 720.0, 1280.0]
matrix = [ [ 913.25, 0.0, 366.5], [ 0.0, 914.5, 638.5], [ 0.0, 0.0, 1.0]]
distortions = [ 0.125, -0.28, -0.0003, 0.0007, 0.21]
rotation = [ 1.678, 1.031, -0.391]
translation = [ 0.26, 0.96, 2.93]
fisheye = false

[cam_10]
name = "int_cam02_img"
size = [ 720.0, 1280.0]
matrix = [ [ 800.0, 0.0, 366.5], [ 0.0, 800.0, 638.5], [ 0.0, 0.0, 1.0]]
distortions = [ 0.0, 0.0, 0.0, 0.0]
rotation = [ 0.0, 0.0, 0.0]
translation = [ 0.0, 0.0, 0.0]

[metadata]
adjusted = false
"""

ROS = """image_width: 720
image_height: 1280
camera_name: phone  # a comment
camera_matrix:
  rows: 3
  cols: 3
  data: [913.25, 0, 366.5, 0, 914.5, 638.5, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data:
  - 0.125
  - -0.28
  - -3.0e-4
  - 0.0007
  - 0.21
"""


def same(one: Camera, other: Camera) -> None:
    for field in FIELDS:
        torch.testing.assert_close(getattr(one, field), getattr(other, field), rtol=0, atol=1e-5)
    assert one.convention == other.convention == "opencv"
    assert one.extrinsics == other.extrinsics


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def as_json(**changes: object) -> str:
    entries = {"camera_matrix": MATRIX.tolist(), "distortion": LENS.tolist(), "image_size": list(SIZE)}
    return json.dumps({key: value for key, value in (entries | changes).items() if value is not None})


FISHEYE_LENS = np.array([0.08, -0.02, 0.004, -0.001])
RATIONAL_LENS = np.array([4.1, 0.9, 1e-4, 2e-4, 0.03, 4.4, 2.3, 0.2])


def oracle(points: np.ndarray, camera: Camera) -> np.ndarray:
    """The pixels of points in the world, by OpenCV."""
    matrix, lens = (
        camera.intrinsics_matrix().double().numpy(),
        camera.distortion_coefficients().double().numpy(),
    )
    turn = cv2.Rodrigues(camera.rotation.double().numpy())[0]
    shift = -camera.rotation.double().numpy() @ camera.position.double().numpy()
    points = np.ascontiguousarray(points.reshape(-1, 1, 3), dtype=np.float64)
    if camera.convention == "fisheye":
        return cv2.fisheye.projectPoints(points, turn, shift, matrix, lens)[0].reshape(-1, 2)
    return cv2.projectPoints(points, turn, shift, matrix, lens)[0].reshape(-1, 2)


@pytest.mark.parametrize(
    ("lens", "fisheye", "model"),
    [
        (LENS, False, "plumb_bob"),
        (RATIONAL_LENS, False, "rational_polynomial"),
        (FISHEYE_LENS, True, "equidistant"),
    ],
)
def test_every_lens_model_comes_back_from_a_file_and_sees_what_opencv_sees(tmp_path, lens, fisheye, model):
    rig = random_rig(1, seed=4)[0]
    camera = opencv_camera(MATRIX, lens, SIZE, rotation=rig.rotation, position=rig.position, fisheye=fisheye)
    save_camera(tmp_path / "camera.json", camera)
    assert json.loads((tmp_path / "camera.json").read_text())["distortion_model"] == model
    again = load_camera(tmp_path / "camera.json")
    assert (again.convention, again.distortion_model) == (camera.convention, model)
    for field in FIELDS:
        torch.testing.assert_close(getattr(again, field), getattr(camera, field), rtol=0, atol=1e-5)
    points = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (50, 3))
    seen = again.to(torch.float64).world_to_image(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(seen, oracle(points, camera), atol=0.05)


# --- Our own JSON -------------------------------------------------------------------------------


@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_camera_file_gives_back_the_camera_that_was_saved(tmp_path_factory, seed):
    rig = random_rig(1, seed=seed)[0]
    camera = opencv_camera(MATRIX, LENS, SIZE, rotation=rig.rotation, position=rig.position)
    path = tmp_path_factory.mktemp("camera") / "camera.json"
    save_camera(path, camera)
    same(load_camera(path), camera)
    assert [entry.name for entry in path.parent.iterdir()] == ["camera.json"]


def test_a_saved_camera_without_a_place_in_the_world_has_none_when_read(tmp_path):
    save_camera(tmp_path / "camera.json", CAMERA)
    assert "rotation" not in json.loads((tmp_path / "camera.json").read_text())
    assert load_camera(tmp_path / "camera.json").extrinsics == "arbitrary"


@pytest.mark.parametrize("rotation", [UPRIGHT, np.eye(3).tolist()], ids=["upright", "identity"])
def test_a_file_that_states_extrinsics_is_believed_whatever_their_numbers(tmp_path, rotation):
    path = write(tmp_path / "camera.json", as_json(rotation=rotation, position=[0, 0, 0]))
    camera = load_camera(path, image_size=(360, 640))
    assert camera.extrinsics_known
    np.testing.assert_allclose(camera.rotation, rotation, atol=1e-7)
    save_camera(tmp_path / "again.json", camera)
    same(load_camera(tmp_path / "again.json"), camera)


def test_extrinsics_of_an_unknown_source_are_refused(tmp_path):
    stated = as_json(rotation=UPRIGHT, position=[0, 0, 0], extrinsics="Calibrated")
    path = write(tmp_path / "camera.json", stated)
    with pytest.raises(InputError, match=r"camera\.json: extrinsics is Calibrated, expected calibrated or"):
        load_camera(path)


def test_estimated_extrinsics_are_saved_as_such(tmp_path):
    camera = replace(CAMERA, position=torch.tensor([0.0, 0.0, 1.5]), extrinsics="estimated")
    save_camera(tmp_path / "camera.json", camera)
    same(load_camera(tmp_path / "camera.json"), camera)


def test_only_a_single_camera_of_opencvs_convention_is_saved(tmp_path):
    for camera in (random_rig(2, seed=0), random_rig(1, seed=0)[0]):
        with pytest.raises(ValueError, match=r"c\.json: only a single camera in OpenCV's convention"):
            save_camera(tmp_path / "c.json", camera)


# --- OpenCV and ROS -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["yml", "yaml", "xml", "json"])
@pytest.mark.parametrize(
    ("matrix", "lens"), [("camera_matrix", "distortion_coefficients"), ("K", "dist_coeffs")]
)
def test_files_that_opencv_wrote_are_read(tmp_path, suffix, matrix, lens):
    path = tmp_path / f"camera.{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("calibration_time", "Tue 01 Jan 2030")
    storage.write("image_width", 720)
    storage.write("image_height", 1280)
    storage.write(matrix, MATRIX)
    storage.write(lens, LENS.reshape(1, 5))
    storage.write("per_view_errors", np.arange(40.0).reshape(10, 4))
    storage.write("avg_reprojection_error", 0.3)
    storage.release()
    same(load_camera(path), CAMERA)


def test_a_camera_info_of_ros_is_read(tmp_path):
    same(load_camera(write(tmp_path / "camera.yaml", ROS)), CAMERA)
    other = ROS.replace("plumb_bob", "omni")
    with pytest.raises(ValueError, match=r"camera\.yaml: the lens model 'omni' is not known"):
        load_camera(write(tmp_path / "camera.yaml", other))


NESTED = """# a comment at the start
image_size: [720,   # wide
1280]               # high
camera_name: "cam #1"
camera_matrix: {rows: 3, cols: 3, data: [913.25, 0, 366.5,
0, 914.5, 638.5,  # a list may go on at the margin
0, 0, 1]}
D:
    [
        0.125, -0.28,

        -3e-4, 0.0007, 0.21,
    ]
board:
  camera_matrix: [1, 2]
  rows: {data: none}
"""


def test_the_whole_of_yaml_is_understood(tmp_path):
    same(load_camera(write(tmp_path / "camera.yaml", NESTED.replace("rows: {data", "edge: {data"))), CAMERA)
    rows = "".join(f"- [{', '.join(map(str, row))}]\n" for row in MATRIX.tolist())
    text = f"---\n'K':\n{rows}\"D\": {LENS.tolist()}\nwidth: 7.20e2\nheight: '1280'\n"
    same(load_camera(write(tmp_path / "camera.yaml", text)), CAMERA)


ROS_1_TOPIC = """width: 640
height: 480
distortion_model: plumb_bob
D: [0.125, -0.28, -0.0003, 0.0007, 0.21]
K: [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
roi: {width: 0, height: 0}
"""
ROS_2_TOPIC = """header:
  stamp:
    sec: 3
  frame_id: camera
height: 480
width: 640
distortion_model: plumb_bob
d:
- 0.125
- -0.28
- -0.0003
- 0.0007
- 0.21
k:
- 500.0
- 0.0
- 320.0
- 0.0
- 510.0
- 240.0
- 0.0
- 0.0
- 1.0
roi:
  height: 0
  width: 0
---
"""


@pytest.mark.parametrize("text", [ROS_1_TOPIC, ROS_2_TOPIC], ids=["ROS 1", "ROS 2"])
def test_a_message_of_ros_says_for_which_image_size_it_is(tmp_path, text):
    path = write(tmp_path / "camera.yaml", text)
    camera = opencv_camera([[500, 0, 320], [0, 510, 240], [0, 0, 1]], LENS, (640, 480))
    same(load_camera(path), camera)
    doubled = load_camera(path, image_size=(1280, 960))
    torch.testing.assert_close(doubled.focal, torch.tensor([1000.0, 1020.0]))
    torch.testing.assert_close(doubled.center, torch.tensor([640.0, 480.0]))


def test_a_json_file_may_call_the_image_size_width_and_height(tmp_path):
    text = as_json(image_size=None, width=SIZE[0], height=SIZE[1])
    same(load_camera(write(tmp_path / "camera.json", text)), CAMERA)


def test_a_file_without_image_size_takes_that_of_the_video(tmp_path):
    path = write(tmp_path / "camera.yaml", "\n".join(ROS.split("\n")[2:]))
    same(load_camera(path, image_size=SIZE), CAMERA)
    with pytest.raises(ValueError, match="lacks image_size"):
        load_camera(path)


# --- Lens models --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (as_json(distortion=FISHEYE_LENS.tolist(), fisheye_model=1), (FISHEYE_LENS, True)),
        (as_json(distortion=FISHEYE_LENS.tolist(), fisheye=True), (FISHEYE_LENS, True)),
        (as_json(distortion=FISHEYE_LENS.tolist(), distortion_model="equidistant"), (FISHEYE_LENS, True)),
        (
            as_json(distortion=[*FISHEYE_LENS.tolist(), 0], distortion_model="equidistant"),
            (FISHEYE_LENS, True),
        ),
        (as_json(distortion=FISHEYE_LENS.tolist(), fisheye=False, fisheye_model=0), (FISHEYE_LENS, False)),
        (as_json(distortion=RATIONAL_LENS.tolist()), (RATIONAL_LENS, False)),
        (
            as_json(distortion=RATIONAL_LENS.tolist(), distortion_model="rational_polynomial"),
            (RATIONAL_LENS, False),
        ),
        (as_json(distortion=[*RATIONAL_LENS.tolist(), 0, 0, 0, 0]), (RATIONAL_LENS, False)),
        (as_json(distortion=None), ([], False)),
    ],
)
def test_a_file_says_which_lens_model_its_coefficients_are_of(tmp_path, text, expected):
    lens, fisheye = expected
    camera, right = (
        load_camera(write(tmp_path / "c.json", text)),
        opencv_camera(MATRIX, lens, SIZE, fisheye=fisheye),
    )
    assert camera.convention == right.convention
    torch.testing.assert_close(camera.distortion_coefficients(), right.distortion_coefficients())


def test_a_lens_model_of_another_kind_or_with_too_many_coefficients_is_refused(tmp_path):
    for changes, message in (
        ({"distortion_model": "omni"}, "the lens model 'omni' is not known"),
        ({"distortion": [0.1] * 14}, "only k1, k2, p1, p2, k3, k4, k5, k6"),
        ({"distortion": [0.1] * 5, "fisheye": True}, "expected k1, k2, k3, k4 of a fisheye"),
        ({"distortion": None, "distortion_table": [[1, 2]]}, "'distortion_table' is not understood"),
    ):
        with pytest.raises(InputError, match=message):
            load_camera(write(tmp_path / "c.json", as_json(**changes)))


PLACES = {"fx": 913.25, "fy": 914.5, "cx": 366.5, "cy": 638.5, "width": 720, "height": 1280}


@pytest.mark.parametrize(
    ("entries", "camera"),
    [
        (PLACES, opencv_camera(MATRIX, None, SIZE)),
        (PLACES | dict(zip(("k1", "k2", "p1", "p2", "k3"), LENS.tolist(), strict=True)), CAMERA),
        (PLACES | {"k1": 0.125}, opencv_camera(MATRIX, [0.125], SIZE)),
        ({"K": MATRIX.tolist(), "width": 720, "height": 1280}, opencv_camera(MATRIX, None, SIZE)),
        (
            {"fl_x": 913.25, "fl_y": 914.5, "cx": 366.5, "cy": 638.5, "w": 720, "h": 1280, "k1": 0.125},
            opencv_camera(MATRIX, [0.125], SIZE),
        ),
    ],
)
def test_intrinsics_may_be_given_as_numbers_and_without_distortion(tmp_path, entries, camera):
    same(load_camera(write(tmp_path / "camera.json", json.dumps(entries))), camera)


def test_numbers_that_lack_one_are_refused(tmp_path):
    entries = {key: value for key, value in PLACES.items() if key != "cy"}
    with pytest.raises(InputError, match="lacks cy"):
        load_camera(write(tmp_path / "camera.json", json.dumps(entries)))


# --- Kalibr, EasyMocap and COLMAP ---------------------------------------------------------------

KALIBR = """cam0:
  camera_model: pinhole
  distortion_coeffs: [0.125, -0.28, -0.0003, 0.0007]
  distortion_model: radtan
  intrinsics: [913.25, 914.5, 366.5, 638.5]
  resolution: [720, 1280]
  T_cam_imu:
  - [1, 0, 0, 0]
cam1:
  camera_model: pinhole
  distortion_coeffs: [0.08, -0.02, 0.004, -0.001]
  distortion_model: equidistant
  intrinsics: [913.25, 914.5, 366.5, 638.5]
  resolution: [720, 1280]
"""


def test_kalibrs_cameras_are_chosen_by_name(tmp_path):
    path = write(tmp_path / "camchain.yaml", KALIBR)
    same(load_camera(path, name="cam0"), opencv_camera(MATRIX, LENS[:4], SIZE))
    fisheye = load_camera(path, name="cam1")
    assert fisheye.convention == "fisheye"
    torch.testing.assert_close(fisheye.radial, torch.tensor([0.08, -0.02, 0.004, -0.001]))
    with pytest.raises(InputError, match=r"which camera \(--camera-name\)\? the file holds cam0, cam1"):
        load_camera(path)
    with pytest.raises(InputError, match="the camera model 'omni' of Kalibr is not known"):
        load_camera(write(path, KALIBR.replace("pinhole", "omni")), name="cam1")


def _easymocap(folder: Path, poses: dict[str, np.ndarray]) -> Path:
    """An intri.yml of two cameras, and an extri.yml of the first one's pose, as OpenCV writes them."""
    for name, entries in (
        ("intri", {"K_01": MATRIX, "dist_01": LENS, "K_02": MATRIX * [[2], [2], [1]]}),
        ("extri", poses),
    ):
        storage = cv2.FileStorage(str(folder / f"{name}.yml"), cv2.FILE_STORAGE_WRITE)
        for key, value in entries.items():
            storage.write(key, value.reshape(len(value), -1))
        storage.release()
    return folder / "intri.yml"


@pytest.mark.parametrize("with_matrix", [True, False])
def test_easymocaps_camera_has_the_pose_in_the_file_beside_it(tmp_path, with_matrix):
    turn, shift = np.array([1.678, 1.031, -0.391]), np.array([0.26, 0.96, 2.93])
    poses = {"R_01": turn, "T_01": shift} | ({"Rot_01": cv2.Rodrigues(turn)[0]} if with_matrix else {})
    path = _easymocap(tmp_path, poses)
    camera = load_camera(path, name="01", image_size=SIZE)
    assert camera.extrinsics == "calibrated"
    points = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (20, 3))
    seen = camera.to(torch.float64).world_to_image(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(seen, cv2.projectPoints(points, turn, shift, MATRIX, LENS)[0][:, 0], atol=0.02)
    other = load_camera(path, name="02", image_size=SIZE)
    assert (other.extrinsics, other.focal[0].item()) == ("arbitrary", 2 * 913.25)
    (tmp_path / "extri.yml").unlink()
    assert load_camera(path, name="01", image_size=SIZE).extrinsics == "arbitrary"


COLMAP = """# Camera list with one line of data per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
# Number of cameras: 2
1 OPENCV 720 1280 913.25 914.5 367 639 0.125 -0.28 -0.0003 0.0007
2 OPENCV_FISHEYE 720 1280 913.25 914.5 367 639 0.08 -0.02 0.004 -0.001
"""


def test_colmaps_cameras_are_the_same_as_text_and_as_binary_half_a_pixel_from_opencvs(tmp_path):
    text, binary = write(tmp_path / "cameras.txt", COLMAP), tmp_path / "cameras.bin"
    content = struct.pack("<Q", 2)
    for number, model, *parameters in ((1, 4, *LENS[:4]), (2, 5, *FISHEYE_LENS)):
        content += struct.pack("<iiQQ8d", number, model, 720, 1280, 913.25, 914.5, 367, 639, *parameters)
    binary.write_bytes(content)
    for path in (text, binary):
        same(load_camera(path, name="1"), opencv_camera(MATRIX, LENS[:4], SIZE))
        fisheye = load_camera(path, name="2")
        assert fisheye.convention == "fisheye"
        torch.testing.assert_close(fisheye.center, torch.tensor([366.5, 638.5]))
    for end in (0, 5, 20, 40, len(content) - 1):
        binary.write_bytes(content[:end])
        with pytest.raises(InputError, match=r"cameras\.bin"):
            load_camera(binary, name="1")
    for old, new, message in (
        ("OPENCV 720", "FOV 720", "has the model FOV, which is not known"),
        (" 0.0007", "", "has 7 parameters, expected fx fy"),
        ("0.0007", "none", "are no numbers"),
    ):
        with pytest.raises(InputError, match=message):
            load_camera(write(text, COLMAP.replace(old, new)), name="1")


# --- Pose2Sim and Caliscope ---------------------------------------------------------------------


def test_a_pose2sim_camera_sees_what_opencv_sees(tmp_path):
    path = write(tmp_path / "calibration.toml", POSE2SIM)
    camera = load_camera(path, name="cam01").to(torch.float64)
    points = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (20, 3))
    turn, shift = np.array([1.678, 1.031, -0.391]), np.array([0.26, 0.96, 2.93])
    seen = camera.world_to_image(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(seen, cv2.projectPoints(points, turn, shift, MATRIX, LENS)[0][:, 0], atol=0.02)


@pytest.mark.parametrize(
    ("name", "focal"), [("cam01", 913.25), ("cam_1", 913.25), ("CAM_10", 800), ("int_cam02_img", 800)]
)
def test_a_camera_is_named_by_its_section_its_name_or_a_part_that_only_it_has(tmp_path, name, focal):
    path = write(tmp_path / "calibration.toml", POSE2SIM)
    assert load_camera(path, name=name).focal[0] == focal


@pytest.mark.parametrize(
    ("name", "message"),
    [(None, "which camera"), ("int_cam", "'int_cam' names cam_1 and cam_10"), ("x", "'x' names no camera")],
)
def test_a_name_that_means_no_camera_or_several_is_refused_with_the_list(tmp_path, name, message):
    with pytest.raises(ValueError, match=rf"{message}.*the file holds cam_1, cam_10"):
        load_camera(write(tmp_path / "c.toml", POSE2SIM), name=name)


CALISCOPE = """
[cameras.0]
cam_id = 0
ignore = true
size = [1280, 720]

[cameras.1]
cam_id = 1
rotation_count = 1
ignore = false
size = [720, 1280]
matrix = [[913.25, 0.0, 366.5], [0.0, 914.5, 638.5], [0.0, 0.0, 1.0]]
distortions = [0.125, -0.28, -0.0003, 0.0007, 0.21]
translation = [0.26, 0.96, 2.93]
rotation = ROTATION

[cameras.2]
size = [1280, 720]
matrix = [[640.0, 0.0, 640.0], [0.0, 640.0, 360.0], [0.0, 0.0, 1.0]]
distortions = [0.0, 0.0, 0.0, 0.0, 0.0]
"""


@pytest.mark.parametrize("as_matrix", [True, False])
def test_caliscopes_nested_cameras_are_chosen_by_number_and_turned_by_a_vector_or_a_matrix(
    tmp_path, as_matrix
):
    turn, shift = np.array([1.678, 1.031, -0.391]), np.array([0.26, 0.96, 2.93])
    rotation = cv2.Rodrigues(turn)[0] if as_matrix else turn
    path = write(tmp_path / "camera_array.toml", CALISCOPE.replace("ROTATION", str(rotation.tolist())))
    points = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (20, 3))
    for name in ("1", "cam1", "cam_1"):
        camera = load_camera(path, name=name)
        assert (camera.extrinsics, camera.image_size.tolist()) == ("calibrated", list(SIZE))
        seen = camera.to(torch.float64).world_to_image(torch.from_numpy(points)).numpy()
        right = cv2.projectPoints(points, turn, shift, MATRIX, LENS)[0][:, 0]
        np.testing.assert_allclose(seen, right, atol=0.02)
    assert load_camera(path, name="2").extrinsics == "arbitrary"
    for name, message in ((None, "which camera"), ("0", "'0' names no camera")):
        with pytest.raises(InputError, match=f"{message}.* the file holds 1, 2"):
            load_camera(path, name=name)


def test_zero_or_absent_extrinsics_are_unknown_ones(tmp_path):
    text = POSE2SIM.replace("rotation = [ 1.678, 1.031, -0.391]", "").replace(
        "translation = [ 0.26, 0.96, 2.93]", ""
    )
    path = write(tmp_path / "c.toml", text)
    assert load_camera(path, name="cam_1").extrinsics == "arbitrary"
    assert load_camera(path, name="cam_10").extrinsics == "arbitrary"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "fisheye = false",
            "fisheye = true",
            "distortion has 5 coefficients, expected k1, k2, k3, k4 of a fish",
        ),
        ("0.26, 0.96, 2.93]", "260.0, 960.0, 2930.0]", "is 3094 m from the origin: is it in millimetres"),
        ("0.26, 0.96, 2.93]", "0.26, 0.96]", "need 3 numbers each"),
        ("[cam_1]", "[cam_1]\n[cam_1]", "not readable TOML"),
        ("distortions", "distortion_values", "'distortion_values' is not understood, expected distortion"),
        ("matrix", "intrinsic_values", "holds no camera"),
    ],
)
def test_a_faulty_toml_is_refused_in_one_line(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=rf"c\.toml: [^\n]*{message}"):
        load_camera(write(tmp_path / "c.toml", POSE2SIM.replace(old, new)), name="cam01")


def test_the_cameras_of_a_real_pose2sim_calibration_see_the_triangulated_joints_where_they_were_detected():
    real = SHARED / "real/pose2sim_demo.npz"
    if not real.is_file():
        pytest.skip("the real recordings (shared) are not beside this checkout")
    data = np.load(real)
    assert 1.4 < np.nanmax(data["tri"][..., 2]) < 2.0  # z is up and in metres
    for number in range(4):
        path = SHARED / "video/pose2sim_calibration.toml"
        camera = load_camera(path, name=f"cam0{number + 1}", image_size=(1080, 1920)).to(torch.float64)
        seen = camera.world_to_image(torch.from_numpy(data["tri"].astype(np.float64))).numpy()
        keypoints = data["kp2d"][:, number]
        off = np.linalg.norm(seen - keypoints[..., :2], axis=-1)[keypoints[..., 2] > 0.3]
        # The joints were triangulated with another calibration of the same cameras, which is 8 to 18 off.
        assert np.nanmedian(off) < 25


# --- OpenCap and arrays -------------------------------------------------------------------------


def test_opencaps_parameters_are_read_as_json_or_npz_without_their_extrinsics(tmp_path):
    parameters = {
        "intrinsicMat": MATRIX,
        "distortion": LENS[None],
        "imageSize": np.array([[1280.0], [720.0]]),
        "rotation": np.eye(3),
        "translation": np.array([[500.0], [700.0], [2186.0]]),
        "rotation_EulerAngles": np.zeros((3, 1)),
    }
    text = json.dumps({key: value.tolist() for key, value in parameters.items()})
    same(load_camera(write(tmp_path / "camera.json", text)), CAMERA)
    np.savez(tmp_path / "camera.npz", **parameters)
    same(load_camera(tmp_path / "camera.npz"), CAMERA)


def test_a_pickle_is_never_opened_whatever_its_name(tmp_path):
    class Opened:
        def __reduce__(self):
            return Path.touch, (tmp_path / "opened",)

    for name in ("cameraIntrinsicsExtrinsics.pickle", "camera.json"):
        (tmp_path / name).write_bytes(pickle.dumps(Opened()))
        with pytest.raises(ValueError, match=rf"{name}: a pickle.*json\.dump") as error:
            load_camera(tmp_path / name)
        assert "\n" not in str(error.value)
    np.savez(tmp_path / "camera.npz", K=np.array([Opened()], dtype=object), dist=LENS)
    with pytest.raises(ValueError, match=r"camera\.npz: it holds pickled Python objects"):
        load_camera(tmp_path / "camera.npz")
    assert not (tmp_path / "opened").exists()


# --- Faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "not a camera file; known are JSON"),
        ("", "not a camera file"),
        ("{broken", "not JSON, or truncated"),
        ("<opencv_storage>", "not readable XML"),
        ("{}", "lacks camera_matrix"),
        (as_json(camera_matrix=None), "lacks camera_matrix"),
        (as_json(distortion=None, dist_values=[0.1]), "'dist_values' is not understood"),
        (as_json(camera_matrix=[[1, 0], [0, 1]]), r"camera_matrix has shape \(2, 2\), expected 3 x 3"),
        (as_json(camera_matrix="text"), "camera_matrix is 'text', expected 3 x 3 numbers"),
        (as_json(camera_matrix=MATRIX.T.tolist()), "last row of camera_matrix is not 0 0 1"),
        (as_json(camera_matrix=(MATRIX * [[-1], [1], [1]]).tolist()), "focal lengths positive"),
        (as_json(distortion=[0.1] * 3), "distortion has 3 coefficients, expected k1, k2, p1, p2"),
        (as_json(distortion=[0.1] * 12), "12 coefficients, only k1, .*, k6 are supported"),
        (as_json(image_size=[10**6, 10]), "expected at most 131072 pixels a side"),
        (
            as_json(distortion=[float("nan")] * 5, image_size=[1, 2, 3]),
            "distortion holds NaN.*image_size has",
        ),
        (as_json(image_size=[720.5, 0]), r"image_size is \[720\.5, 0\.0\], expected whole pixels"),
        (as_json(rotation=np.eye(3).tolist()), "rotation .* and position .* belong together"),
        (as_json(rotation=[[2, 0, 0], [0, 1, 0], [0, 0, 1]], position=[0, 0, 0]), "not a rotation matrix"),
        (ROS.replace("rows: 3", ""), "a matrix lacks rows"),
        (ROS.replace("rows: 3", "rows: 2"), "a matrix of 2 x 3 has 9 numbers"),
        (
            ROS.replace("rows: 3", "rows: -3").replace("cols: 3", "cols: -3"),
            "a matrix has -3.0 rows and -3.0 c",
        ),
        (ROS.replace("rows: 3", "rows: many"), "a matrix has 'many' rows and 3.0 cols"),
        (ROS.replace("913.25", "wide"), "a matrix's data is .*'wide'.*, expected 3 x 3 numbers"),
        (ROS.replace("  cols", " cols", 1), "not readable YAML, from line 6, column 2"),
        ("%YAML:1.0\n---\n- K\n- D\n", "not readable YAML .expected keys and values"),
        ("K: &a [1, 2]\nD: *a\n", "aliases and more than 32 levels are not supported"),
        ("K: " + 1_000_000 * "[", "aliases and more than 32 levels are not supported"),
        ("K: !!python/object/apply:os.getcwd []\nD: [0, 0, 0, 0]", r"camera_matrix has shape \(0,\)"),
        (as_json(camera_matrix={"rows": 3, "cols": 3, "data": 5}), "a matrix of 3 x 3 has 1 numbers"),
        (as_json(distortion=[10**400]), "a number of 401 digits"),
        (as_json(distortion=["1e400", {}]), "distortion is .*, expected numbers"),
        (as_json(camera_matrix=(MATRIX * [[1e39], [1], [1]]).tolist()), "holds a number that is too large"),
        ("{" + 200_000 * '"a":{', "nested more than 32 levels deep"),
        ("{" + f'"K": {5000 * "1"}' + "}", "a number of 5000 digits"),
        ("<a>" + 200_000 * "<b>", "more than 32 levels"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "entities are not supported"),
        ("<calibration><cameras><camera/></cameras></calibration>", "a calibration of Qualisys"),
        ("[a]\nb = 1", "holds no camera"),
        ("[a]\nb = " + 5000 * "[", "not readable TOML"),
    ],
)
def test_a_faulty_file_is_refused_in_one_line_that_names_it_and_the_fault(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        load_camera(write(tmp_path / "camera.txt", text))
    assert str(error.value).startswith(str(tmp_path / "camera.txt"))
    assert "\n" not in str(error.value)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json: no such file"):
        load_camera(tmp_path / "none.json")
    (tmp_path / "video.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42\xff\xfe")
    with pytest.raises(ValueError, match=r"video\.mp4: not a camera file"):
        load_camera(tmp_path / "video.mp4")


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_npz_gives_a_camera_or_one_line(tmp_path, seed):
    path = tmp_path / "camera.npz"
    np.savez_compressed(path, camera_matrix=MATRIX, distortion=LENS, image_size=SIZE)
    damage(path, seed)
    complaint = ""
    try:
        assert load_camera(path).focal.ndim == 1
    except ValueError as fault:
        complaint = str(fault)
    assert not complaint or complaint.startswith(f"{path}: ")
    assert "\n" not in complaint


def test_every_file_that_went_wrong_before_gives_a_camera_or_one_line():
    folder = SHARED / "cases"
    paths = [*folder.glob("cameras/*"), *folder.glob("readers/*")]
    if not paths:
        pytest.skip("the collected cases (shared) are not beside this checkout")
    for path in paths:
        complaint = f"{path}: "
        try:
            assert torch.isfinite(load_camera(path).focal).all()
        except InputError as fault:
            complaint = str(fault)
        assert complaint.startswith(f"{path}: ")
        assert "\n" not in complaint


def damage(path: Path, seed: int) -> None:
    """Change two bytes of a file after its first four."""
    rng, content = np.random.default_rng(seed), bytearray(path.read_bytes())
    for place in rng.integers(4, len(content), 2):
        content[place] = rng.integers(256)
    path.write_bytes(content)


def test_zeros_after_the_fifth_coefficient_do_no_harm(tmp_path):
    path = write(tmp_path / "c.json", as_json(distortion=[*LENS.tolist(), 0, 0, 0]))
    same(load_camera(path), CAMERA)


# --- Another image size -------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.5, 1.5, 3])
def test_a_resized_image_has_resized_pixels(factor):
    fitted = fit_to_image(CAMERA, (round(720 * factor), round(1280 * factor)))
    points = torch.tensor([[0.4, -0.3, 3.0], [0.0, 0.7, 2.0]])
    torch.testing.assert_close(fitted.camera_to_image(points), CAMERA.camera_to_image(points) * factor)


def test_a_codecs_padding_leaves_the_intrinsics_alone():
    padded = replace(CAMERA, image_size=torch.tensor([1088.0, 1920.0]))
    fitted = fit_to_image(padded, (1080, 1920))
    assert torch.equal(fitted.focal, padded.focal)
    assert torch.equal(fitted.center, padded.center)
    assert fitted.image_size.tolist() == [1080, 1920]
    half = fit_to_image(padded, (540, 960))
    torch.testing.assert_close(half.focal, padded.focal / 2)


@pytest.mark.parametrize(("pixels", "factor"), [(16, 1.0), (-16, 1.0), (17, 1297 / 1280), (-17, 1263 / 1280)])
def test_up_to_sixteen_pixels_a_side_are_padding_and_more_are_another_scale(pixels, factor):
    fitted = fit_to_image(CAMERA, (720 + pixels, 1280 + pixels))
    torch.testing.assert_close(fitted.focal, CAMERA.focal * factor)
    torch.testing.assert_close(fitted.center, CAMERA.center * factor)
    assert fitted.image_size.tolist() == [720 + pixels, 1280 + pixels]


def test_a_resized_image_is_scaled_by_its_longer_side_and_may_be_two_percent_out_of_shape():
    fitted = fit_to_image(CAMERA, (1466, 2560))  # 1.8 % too wide
    torch.testing.assert_close(fitted.focal, CAMERA.focal * 2)
    landscape = replace(CAMERA, image_size=torch.tensor([1280.0, 720.0]))
    torch.testing.assert_close(fit_to_image(landscape, (2560, 1466)).focal, CAMERA.focal * 2)
    for size in ((1470, 2560), (1410, 2560)):  # 2.1 % off
        with pytest.raises(ValueError, match="another shape"):
            fit_to_image(CAMERA, size)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((1280, 720), "one of them is rotated"),
        ((720, 960), "another shape"),
        ((720, 720), "another shape"),
        ((720, 1240), "another shape"),
        ((760, 1280), "another shape"),
    ],
)
def test_a_rotated_or_cropped_image_is_refused_with_both_sizes(size, message):
    with pytest.raises(
        ValueError, match=rf"720 x 1280 pixels, the video has {size[0]} x {size[1]}: {message}"
    ):
        fit_to_image(CAMERA, size)


# --- Without a file -----------------------------------------------------------------------------


@given(st.floats(10, 150), st.tuples(st.integers(100, 4000), st.integers(100, 4000)))
def test_the_field_of_view_spans_the_longer_side(field_of_view, size):
    camera = default_camera(size, field_of_view=field_of_view).to(torch.float64)
    middle, edge = torch.tensor(size) / 2, torch.tensor(size) / 2
    edge[int(size[1] > size[0])] = 0
    rays = camera.image_to_rays(torch.stack((middle, edge)).double())
    torch.testing.assert_close(rays[0], torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-6)
    assert 2 * rays[1].norm().atan().rad2deg().item() == pytest.approx(field_of_view, rel=1e-4)


@pytest.mark.parametrize("options", [{"field_of_view": 0.0}, {"field_of_view": 180.0}, {"focal": -1.0}])
def test_an_impossible_lens_is_refused(options):
    with pytest.raises(ValueError, match="must be"):
        default_camera((720, 1280), **options)


def test_the_best_source_is_chosen_and_named(tmp_path):
    path = write(tmp_path / "calib.toml", POSE2SIM)
    points = np.ones((1, 17, 3), np.float32)
    keypoints = Keypoints(points, "human36m17", np.zeros(1), SIZE, MATRIX, LENS)
    known = {"field_of_view": 70.0, "keypoints": keypoints, "focal_hint": 1000.0}
    sources = [
        (
            {"camera": path, "name": "cam01", **known},
            913.25,
            "calibration_file",
            "camera file calib.toml (cam_1)",
        ),
        ({"camera": CAMERA, **known}, 913.25, "given", "given camera"),
        (known, 914.0, "field_of_view", "given field of view of 70°"),
        ({**known, "field_of_view": None}, 913.25, "keypoint_file", "intrinsics of the keypoint file"),
        (
            {"keypoints": replace(keypoints, camera_matrix=None, distortion=None), "focal_hint": 1000.0},
            1000,
            "video_metadata",
            "focal length of 1000 pixels from the video's metadata",
        ),
        ({}, 1004.6, "assumed", "default field of view of 65° (no camera given)"),
    ]
    for options, focal, source, words in sources:
        found = find_camera(SIZE, **options)
        assert float(found.camera.focal[0]) == pytest.approx(focal, rel=1e-4)
        assert (found.source, found.description) == (IntrinsicsSource(source), words)
        assert found.camera.image_size.tolist() == list(SIZE)
        assert early_source(words) == source
        again = find_camera((360, 640), camera=found, field_of_view=10.0)
        assert again[1:] == found[1:]
        torch.testing.assert_close(again.camera.focal, found.camera.focal / 2)
    assert {source for _, _, source, _ in sources} == set(IntrinsicsSource)
    save_camera(tmp_path / "camera.json", CAMERA)
    assert find_camera(SIZE, camera=tmp_path / "camera.json").description == "camera file camera.json"


def test_a_camera_file_may_say_where_it_comes_from_without_a_pose(tmp_path):
    entries = {"camera_matrix": MATRIX.tolist(), "image_size": SIZE, "camera_source": "my phone"}
    (tmp_path / "camera.json").write_text(json.dumps(entries))
    assert load_camera(tmp_path / "camera.json").extrinsics == "arbitrary"


def test_a_camera_name_without_a_file_is_refused():
    with pytest.raises(ValueError, match="'cam01' is named, but no camera file"):
        find_camera(SIZE, name="cam01")
