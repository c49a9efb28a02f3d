"""COLMAP's ``cameras.txt`` and ``cameras.bin``: intrinsics of several cameras, by number."""

from __future__ import annotations

import re
import struct
from typing import Any

from spgnet.errors import InputError

_PARAMETERS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "FOV": None,
    "SIMPLE_RADIAL_FISHEYE": ("f", "cx", "cy", "k1"),
    "RADIAL_FISHEYE": ("f", "cx", "cy", "k1", "k2"),
    "THIN_PRISM_FISHEYE": None,
}
"""The parameters of COLMAP's camera models, in the order of their numbers; None if a model is not read."""
_ROW = re.compile(
    r"^[ \t]*(\d{1,9})[ \t]+([A-Z_]{3,30})[ \t]+(\d{1,9})[ \t]+(\d{1,9})[ \t]+([^\n]*)$", re.MULTILINE
)
_MOST_CAMERAS = 10_000


def is_colmap_text(text: str) -> bool:
    """Whether a text is COLMAP's ``cameras.txt``."""
    match = _ROW.search(text)
    return match is not None and match[2] in _PARAMETERS


def text_cameras(text: str) -> dict[str, dict[str, Any]]:
    """The cameras of ``cameras.txt`` by number, as entries with fx, fy, cx, cy, k1, ... and an image size.

    Raises:
        InputError: a camera is malformed, or of a model that is not read.
    """
    cameras = {}
    for number, model, width, height, rest in _ROW.findall(text):
        try:
            parameters = [float(word) for word in rest.split()[:20]]
        except ValueError:
            raise InputError(f"camera {number} of COLMAP: {rest[:40]!r} are no numbers") from None
        cameras[number] = _entries(number, model, int(width), int(height), parameters)
    return cameras


def binary_cameras(content: bytes) -> dict[str, dict[str, Any]]:
    """The cameras of ``cameras.bin``: see :func:`text_cameras`.

    Raises:
        InputError: it is cut short or no such file, or a camera is of a model that is not read.
    """
    cameras, models = {}, tuple(_PARAMETERS)
    try:
        (count,) = struct.unpack_from("<Q", content)
        if not 0 < count <= _MOST_CAMERAS:
            raise InputError(f"not COLMAP's cameras.bin, or one of {count} cameras")
        place = 8
        for _ in range(count):
            number, model, width, height = struct.unpack_from("<iiQQ", content, place)
            if not 0 <= model < len(models):
                raise InputError(f"not COLMAP's cameras.bin: camera model {model} is not known")
            names = _PARAMETERS[models[model]] or ()
            parameters = list(struct.unpack_from(f"<{len(names)}d", content, place + 24))
            cameras[str(number)] = _entries(str(number), models[model], width, height, parameters)
            place += 24 + 8 * len(names)
    except struct.error:
        raise InputError("not COLMAP's cameras.bin, or one that is cut short") from None
    return cameras


def _entries(number: str, model: str, width: int, height: int, parameters: list[float]) -> dict[str, Any]:
    names = _PARAMETERS.get(model)
    if names is None:
        raise InputError(f"camera {number} of COLMAP has the model {model}, which is not known")
    if len(parameters) != len(names):
        raise InputError(
            f"camera {number} of COLMAP has {len(parameters)} parameters, expected {' '.join(names)}"
        )
    entries: dict[str, Any] = dict(zip(names, parameters, strict=True))
    if "f" in entries:
        entries["fx"] = entries["fy"] = entries.pop("f")
    # COLMAP's pixels have their middles at half numbers, OpenCV's at whole ones.
    entries |= {"cx": entries["cx"] - 0.5, "cy": entries["cy"] - 0.5}
    return entries | {"width": width, "height": height, "fisheye": "FISHEYE" in model}
