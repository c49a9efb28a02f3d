"""The entries of calibration files written as text: JSON, OpenCV's YAML and XML, ROS YAML, Pose2Sim TOML.

OpenCV's ``FileStorage`` and ROS write a small part of YAML: top-level keys with a number, a text, or a
matrix of rows, columns and data. That part is read here; no YAML library is needed.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any
from xml.etree import ElementTree

import numpy as np
import roma
import torch

from spgnet.camera_files.calibration import Calibration, refuse_fisheye

_TOP_LEVEL = re.compile(r"^([A-Za-z_]\w*):(.*(?:\n(?:[ \t\]-].*)?)*)", re.MULTILINE)
"""A key at the start of a line, and all that is indented (or a list) below it."""


def json_entries(text: str) -> dict[str, Any]:
    """The entries of a JSON object; OpenCV's matrices become arrays.

    Raises:
        ValueError: not a JSON object.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not readable JSON ({error})") from None
    assert isinstance(values, dict), "the text begins with a brace"
    return {name: _matrix(value) if isinstance(value, dict) else value for name, value in values.items()}


def xml_entries(text: str) -> dict[str, Any]:
    """The entries of OpenCV's XML.

    Raises:
        ValueError: not such XML.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"not readable XML ({error})") from None
    return {
        node.tag: _matrix({part.tag: part.text or "" for part in node})
        if node.get("type_id") == "opencv-matrix"
        else _scalar(node.text or "")
        for node in root
    }


def yaml_entries(text: str) -> dict[str, Any]:
    """The entries of OpenCV's YAML or of ROS's ``camera_info``.

    Raises:
        ValueError: a matrix lacks its rows, columns or data.
    """
    entries: dict[str, Any] = {}
    for key, rest in _TOP_LEVEL.findall(re.sub(r"\s#.*", "", text)):
        inner = dict(re.findall(r"^[ \t]+(rows|cols|data):((?:(?!\n[ \t]+\w+:)[\s\S])*)", rest, re.MULTILINE))
        if inner:
            entries[key] = _matrix(inner)
        elif rest.strip().startswith(("[", "- ")):
            entries[key] = _floats(rest)
        else:
            entries[key] = _scalar(rest)
    return entries


def toml_calibration(text: str, name: str | None) -> Calibration:
    """One camera of a TOML file as Pose2Sim, Caliscope and Anipose write them.

    The file has a section for each camera: size, matrix, distortions, and ``rotation`` (a Rodrigues vector,
    world to camera) with ``translation`` in metres. Extrinsics that are absent or all zero are unknown.

    Raises:
        ValueError: not TOML, no camera in it, or not exactly one that the name could mean.
    """
    try:
        sections = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not readable TOML ({error})") from None
    cameras = {key: value for key, value in sections.items() if isinstance(value, dict) and "matrix" in value}
    if not cameras:
        raise ValueError("holds no camera: no section has a matrix")
    key = _choose(cameras, name)
    section = cameras[key]
    if section.get("fisheye", False):
        refuse_fisheye(f"fisheye = true in {key}")
    if "distortions" not in section:
        raise ValueError(f"{key} lacks distortions")
    rotation, position = _opencv_pose(section)
    return Calibration(
        section["matrix"], section["distortions"], section.get("size"), rotation, position, name=key
    )


def _choose(cameras: dict[str, dict[str, Any]], name: str | None) -> str:
    """The section that a name means: its own, or the only one that contains it."""
    listed = f"the file holds {', '.join(cameras)}"
    if name is None:
        if len(cameras) > 1:
            raise ValueError(f"which camera? {listed}")
        return next(iter(cameras))
    called = {key: {key.lower(), str(section.get("name", key)).lower()} for key, section in cameras.items()}
    wanted = name.lower()
    exact = [key for key, names in called.items() if wanted in names]
    alike = exact or [key for key, names in called.items() if any(wanted in full for full in names)]
    if len(alike) != 1:
        raise ValueError(f"{name!r} names {'no camera' if not alike else ' and '.join(alike)}; {listed}")
    return alike[0]


def _opencv_pose(section: dict[str, Any]) -> tuple[Any, Any]:
    """Rotation matrix and position from OpenCV's rotation vector and translation."""
    try:
        vector = torch.tensor(section.get("rotation", [0, 0, 0]), dtype=torch.float64).flatten()
        translation = torch.tensor(section.get("translation", [0, 0, 0]), dtype=torch.float64).flatten()
    except (ValueError, TypeError):
        return None, None  # Caliscope writes a word where a camera was not placed
    if len(vector) != 3 or len(translation) != 3:
        raise ValueError(
            f"rotation and translation need 3 numbers each, got {vector.tolist()} and {translation.tolist()}"
        )
    if not bool(vector.any()) and not bool(translation.any()):
        return None, None
    rotation = roma.rotvec_to_rotmat(vector)
    return rotation.numpy(), -(rotation.mT @ translation).numpy()


def _matrix(parts: dict[str, Any]) -> np.ndarray | None:
    """OpenCV's and ROS's way to write a matrix; None for something else that has entries."""
    if not {"rows", "cols", "data"} & parts.keys():
        return None
    missing = [part for part in ("rows", "cols", "data") if part not in parts]
    if missing:
        raise ValueError(f"a matrix lacks {' and '.join(missing)}")
    rows, cols = int(parts["rows"]), int(parts["cols"])
    data = _floats(parts["data"]) if isinstance(parts["data"], str) else parts["data"]
    if len(data) != rows * cols:
        raise ValueError(f"a matrix of {rows} x {cols} has {len(data)} numbers")
    return np.array(data, dtype=np.float64).reshape(rows, cols)


def _floats(text: str) -> list[float]:
    """Numbers separated by commas, spaces or list dashes; ``.Nan`` and ``.Inf`` are YAML's."""
    words = re.split(r"[\s,]+", re.sub(r"(?m)^\s*-\s|[\[\]]", " ", text).strip())
    return [float(re.sub(r"\.(?=nan|inf)", "", word.lower())) for word in words if word]


def _scalar(text: str) -> float | str:
    text = text.strip().strip("\"'")
    try:
        return float(text)
    except ValueError:
        return text
