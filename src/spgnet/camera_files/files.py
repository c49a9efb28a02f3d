"""Camera files: one function that reads all of them, and one that writes our own."""

from __future__ import annotations

import json
import re
from pathlib import Path

from torch import Tensor

from spgnet.camera import Camera
from spgnet.camera_files.calibration import Calibration, calibration_from_keys, camera_from
from spgnet.camera_files.fit import fit_to_image, is_placed
from spgnet.camera_files.text import json_entries, toml_calibration, xml_entries, yaml_entries
from spgnet.files import whole_file
from spgnet.keypoints.npz_file import read_npz

_LARGEST_TEXT = 10_000_000
_KNOWN = "JSON, YAML or XML of OpenCV, YAML of ROS, TOML of Pose2Sim or Caliscope, or .npz"


def load_camera(
    path: Path | str, *, name: str | None = None, image_size: tuple[int, int] | None = None
) -> Camera:
    """Read a camera from any of the formats of ``docs/cameras.md``, recognised by their contents.

    Args:
        path: the file.
        name: which camera, where a file holds several; part of the name is enough if only one has it.
        image_size: width and height of the video, in pixels; the camera is fitted to it.

    Returns:
        A single camera in OpenCV's convention: pixels, metres, world z up. Without extrinsics in the file
        it stands upright at the world's origin.

    Raises:
        ValueError: the file is missing or no camera file, does not tell which camera is meant, holds values
            that cannot be, or does not fit the image. The message names the file and every fault found.
    """
    return read_camera(Path(path), name, image_size)[0]


def read_camera(path: Path, name: str | None, image_size: tuple[int, int] | None) -> tuple[Camera, str]:
    """:func:`load_camera`, and the name of the camera in a file of several (else an empty text)."""
    try:
        calibration = _read(path, name)
        camera = camera_from(calibration, image_size)
        return (fit_to_image(camera, image_size) if image_size else camera), calibration.name
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def save_camera(path: Path | str, camera: Camera) -> None:
    """Write a camera as JSON, whole or not at all. Extrinsics are left out where they are the default.

    Raises:
        ValueError: not a single camera in OpenCV's convention.
    """
    path = Path(path)
    if camera.focal.ndim != 1 or camera.convention != "opencv":
        raise ValueError(f"{path}: only a single camera in OpenCV's convention can be saved")
    (fx, fy), (cx, cy) = _short(camera.focal), _short(camera.center)
    (k1, k2, k3), (p1, p2) = _short(camera.radial), _short(camera.tangential)
    entries: dict[str, object] = {
        "camera_matrix": [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        "distortion": [k1, k2, p1, p2, k3],
        "image_size": [int(side) for side in camera.image_size.tolist()],
    }
    if is_placed(camera):
        entries |= {"rotation": [_short(row) for row in camera.rotation], "position": _short(camera.position)}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items())
    with whole_file(path) as temporary:
        temporary.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _short(values: Tensor) -> list[float]:
    """Numbers with the digits that their precision has."""
    return [float(str(value)) for value in values.numpy()]


def _read(path: Path, name: str | None) -> Calibration:
    """The calibration in a file, whatever its format."""
    if not path.is_file():
        raise ValueError("no such file")
    with path.open("rb") as file:
        start = file.read(4)
    if path.suffix in (".pickle", ".pkl") or start[:1] == b"\x80":
        raise ValueError(
            "a pickle, which can run any code when it is opened, so it is not; if you trust it, convert it "
            "to JSON: import json, pickle; values = pickle.load(open('THE_PICKLE', 'rb')); "
            "json.dump({key: value.tolist() for key, value in values.items()}, open('camera.json', 'w'))"
        )
    if start == b"PK\x03\x04":
        return calibration_from_keys(read_npz(path))
    try:
        text = path.read_text(encoding="utf-8-sig") if path.stat().st_size < _LARGEST_TEXT else ""
    except UnicodeDecodeError:
        text = ""
    return _parse(text, name)


def _parse(text: str, name: str | None) -> Calibration:
    if text.lstrip().startswith("{"):
        return calibration_from_keys(json_entries(text))
    if text.lstrip().startswith("<"):
        return calibration_from_keys(xml_entries(text))
    if re.search(r"^\s*\[[^\],]+\]\s*$", text, re.MULTILINE):
        return toml_calibration(text, name)
    if text.startswith("%YAML") or re.search(r"^[A-Za-z_]\w*:", text, re.MULTILINE):
        return calibration_from_keys(yaml_entries(text))
    raise ValueError(f"not a camera file; known are {_KNOWN}")
