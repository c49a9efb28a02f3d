"""Calibrations of systems of many cameras: Qualisys, aniposelib and FreeMoCap, Caliscope."""

import cv2
import numpy as np
import pytest
import torch

from spgnet.camera_files import find_camera, load_camera
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera

SIZE = (720, 1280)
MATRIX = np.array([[913.25, 0.0, 366.5], [0.0, 914.5, 638.5], [0.0, 0.0, 1.0]])
LENS = np.array([0.125, -0.28, -0.0003, 0.0007, 0.21])
TURN, SHIFT = np.array([1.678, 1.031, -0.391]), np.array([0.26, 0.96, 2.93])
POINTS = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (20, 3))


def sees(camera: Camera, points: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> None:
    """The camera is placed in the world and sees what OpenCV sees."""
    assert camera.extrinsics == "calibrated"
    seen = camera.to(torch.float64).world_to_image(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(seen, cv2.projectPoints(points, turn, shift, MATRIX, LENS)[0][:, 0], atol=0.02)


# --- Qualisys -----------------------------------------------------------------------------------


def attributes(**values: object) -> str:
    return " ".join(f'{key}="{value}"' for key, value in values.items())


def qualisys(
    *,
    serial: str = "26578",
    crop: tuple[int, int] = (0, 0),
    unit: float = 64.0,
    pose: bool = True,
    fov: bool = True,
    tangential: str = "tangentalDistortion",
) -> str:
    """A camera as Qualisys writes it: 1/64 pixels of the sensor, millimetres; the rows of the rotation
    are the camera's right, up and back."""
    turn = cv2.Rodrigues(TURN)[0]
    rows = turn * [[1], [-1], [-1]] * pose
    x, y, z = -turn.T @ SHIFT * 1000 * pose
    left, top = crop
    transform = {f"r{row + 1}{column + 1}": rows[row, column] for row in range(3) for column in range(3)}
    window = attributes(left=left, top=top, right=left + SIZE[0] - 1, bottom=top + SIZE[1] - 1)
    whole = attributes(left=0, top=0, right=left + SIZE[0] - 1, bottom=top + SIZE[1] - 1)
    lens = attributes(
        focallength=9.3,
        sensorMinU=0,
        sensorMaxU=unit * (left + SIZE[0]) - 1,
        sensorMinV=0,
        sensorMaxV=unit * (top + SIZE[1]) - 1,
        focalLengthU=unit * MATRIX[0, 0],
        focalLengthV=unit * MATRIX[1, 1],
        centerPointU=unit * (left + MATRIX[0, 2]),
        centerPointV=unit * (top + MATRIX[1, 2]),
        skew=0,
        radialDistortion1=LENS[0],
        radialDistortion2=LENS[1],
        radialDistortion3=LENS[4],
        **{f"{tangential}1": LENS[2], f"{tangential}2": LENS[3]},
    )
    images = f"<fov_video {window}/><fov_video_max {whole}/>" if fov else ""
    return (
        f'<camera active="1" serial="{serial}" model="Miqus Video" viewrotation="0">{images}'
        f"<transform {attributes(x=x, y=y, z=z, **transform)}/><intrinsic {lens}/></camera>"
    )


def calibration(*cameras: str, wrap: str = "{}") -> str:
    inner = f'<calibration source="x.qca" type="regular"><cameras>{"".join(cameras)}</cameras></calibration>'
    return "<?xml version='1.0' encoding='ASCII'?>\n" + wrap.format(inner)


@pytest.mark.parametrize(
    "options",
    [{}, {"crop": (40, 64)}, {"fov": False}, {"tangential": "tangentialDistortion"}],
    ids=["whole sensor", "cropped", "by the sensor", "another spelling"],
)
@pytest.mark.parametrize("wrap", ["{}", "<QTM_Parameters_Ver_1.25>{}</QTM_Parameters_Ver_1.25>"])
def test_a_camera_of_qualisys_sees_what_opencv_sees(tmp_path, options, wrap):
    path = tmp_path / "calibration.qca.txt"
    path.write_text(calibration(qualisys(**options), wrap=wrap))
    camera = load_camera(path)
    assert camera.image_size.tolist() == list(SIZE)
    sees(camera, POINTS, TURN, SHIFT)


def test_cameras_of_qualisys_are_chosen_by_serial_number(tmp_path):
    path = tmp_path / "c.qca.txt"
    path.write_text(calibration(qualisys(serial="26578"), qualisys(serial="26579", pose=False)))
    assert load_camera(path, name="26578").extrinsics == "calibrated"
    assert load_camera(path, name="26579").extrinsics == "arbitrary"
    assert load_camera(path, name="26578", image_size=(360, 640)).focal[0] == pytest.approx(913.25 / 2)
    for name in (None, "Miqus"):
        with pytest.raises(InputError, match=r"26578.*26579"):
            load_camera(path, name=name)


def test_a_file_in_whole_pixels_gives_the_lens_alone(tmp_path):
    path = tmp_path / "theia.txt"
    for fov in (True, False):
        path.write_text(calibration(qualisys(unit=1.0, fov=fov)))
        camera = load_camera(path)
        assert camera.extrinsics == "arbitrary"
        torch.testing.assert_close(camera.focal, torch.tensor([913.25, 914.5]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("focalLengthU", "focal", "camera 26578 of Qualisys lacks focalLengthU"),
        ('r11="', 'r11="x', "r11 of camera 26578 of Qualisys is 'x.*expected a number"),
        (' x="', ' x="1e999" X="', "x of camera 26578 of Qualisys is '1e999', expected a number"),
        (' y="', ' y="9999999" Y="', "is it in millimetres"),
        ("fov_video", "fov", "lacks fov_video, the size of the image"),
        ("</camera>", "", "not readable XML"),
        ("intrinsic", "lens", "Qualisys without cameras that have 'intrinsic'"),
    ],
)
def test_a_faulty_qualisys_file_is_refused_in_one_line(tmp_path, old, new, message):
    path = tmp_path / "c.qca.txt"
    text = calibration(qualisys())
    if old == "fov_video":
        text = text.replace("sensorMax", "sensor")
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=rf"c\.qca\.txt: [^\n]*{message}"):
        load_camera(path)


# --- aniposelib and FreeMoCap -------------------------------------------------------------------


def anipose(
    turn: np.ndarray, shift: np.ndarray, *, own: str = "", metadata: str = "adjusted = false\nerror = 0.43"
) -> str:
    """Two cameras as aniposelib writes them; ``own`` are more entries of the first."""
    return (
        "\n".join(
            f"""[cam_{number}]
name = "cam_{number}"
size = [ 720, 1280,]
matrix = [ [ 913.25, 0.0, 366.5,], [ 0.0, 914.5, 638.5,], [ 0.0, 0.0, 1.0,],]
distortions = [ 0.125, -0.28, -0.0003, 0.0007, 0.21,]
rotation = {[float(each) for each in turn + 0.7 * number]}
translation = {[float(each) for each in shift * (1 + number)]}
{"" if number else own}
"""
            for number in range(2)
        )
        + f"\n[metadata]\n{metadata}\n"
    )


FREEMOCAP = 'solver_method = "pyceres"\n{}\n[metadata.board]\nsquare_length_mm = 54.0'


def test_aniposes_file_in_metres_is_a_calibrated_room(tmp_path):
    path = tmp_path / "calibration.toml"
    path.write_text(anipose(TURN, SHIFT))
    sees(load_camera(path, name="cam_0"), POINTS, TURN, SHIFT)


def test_freemocaps_world_is_used_in_metres_if_its_board_lay_on_the_floor(tmp_path):
    path = tmp_path / "x_camera_calibration.toml"
    known = "world_position = [0.0, 0.0, 0.0]"
    path.write_text(
        anipose(TURN, SHIFT * 1000, own=known, metadata=FREEMOCAP.format("groundplane_applied = true"))
    )
    sees(load_camera(path, name="cam_0"), POINTS, TURN, SHIFT)
    path.write_text(anipose(TURN, SHIFT * 1000, own=known, metadata=FREEMOCAP.format("")))
    assert load_camera(path, name="cam_0").extrinsics == "arbitrary"


@pytest.mark.parametrize(
    ("turn", "shift", "metadata"),
    [
        (TURN, SHIFT * 1000, "adjusted = false"),
        (np.array([0.001, -0.002, 0.003]), SHIFT, "adjusted = false"),
        (TURN, SHIFT, "charuco_square_size = 39"),
    ],
    ids=["millimetres", "the world of a camera", "FreeMoCap"],
)
def test_a_world_in_other_units_or_without_up_leaves_the_lens_alone_and_says_so(
    tmp_path, turn, shift, metadata
):
    path = tmp_path / "calibration.toml"
    path.write_text(anipose(turn, shift, metadata=metadata))
    for name in ("cam_0", "cam_1"):
        found = find_camera(SIZE, camera=path, name=name)
        assert found.camera.extrinsics == "arbitrary"
        torch.testing.assert_close(found.camera.focal, torch.tensor([913.25, 914.5]))
        assert found.description.startswith(
            f"camera file calibration.toml ({name}), without its place in the"
        )


# --- Caliscope ----------------------------------------------------------------------------------

CALISCOPE = """
[cameras.0]
cam_id = 0
size = [720, 1280]
rotation_count = ROTATION
ignore = false
matrix = [[913.25, 0.0, 366.5], [0.0, 914.5, 638.5], [0.0, 0.0, 1.0]]
distortions = [0.125, -0.28, -0.0003, 0.0007, 0.21]
translation = [0.26, 0.96, 2.93]
rotation = [1.678, 1.031, -0.391]

[cameras.1]
cam_id = 1
size = [720, 1280]
ignore = true
matrix = [[800.0, 0.0, 360.0], [0.0, 800.0, 640.0], [0.0, 0.0, 1.0]]
distortions = [0.0, 0.0, 0.0, 0.0, 0.0]
"""


@pytest.mark.parametrize("count", [0, 1, 2, -1])
def test_caliscope_calibrates_pictures_as_recorded_whatever_way_it_turns_them_to_look_at(tmp_path, count):
    path = tmp_path / "camera_array.toml"
    path.write_text(CALISCOPE.replace("ROTATION", str(count)))
    sees(load_camera(path, name="0"), POINTS, TURN, SHIFT)


def test_a_camera_that_is_ignored_is_chosen_by_its_name_only(tmp_path):
    path = tmp_path / "camera_array.toml"
    path.write_text(CALISCOPE.replace("ROTATION", "0"))
    assert load_camera(path).focal[0] == 913.25
    assert load_camera(path, name="1").focal[0] == 800
    path.write_text(CALISCOPE.replace("ROTATION", "0").replace("ignore = true", "ignore = false"))
    with pytest.raises(InputError, match=r"which camera \(--camera-name\)\? the file holds 0, 1"):
        load_camera(path)
