"""Values in keypoint files: numbers, lists and objects of the expected kind, or one line on what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spgnet.errors import InputError
from spgnet.geometry.distortion import is_fisheye
from spgnet.limits import FASTEST, SLOWEST

LARGEST_NUMBER = 2**53
"""Whole numbers beyond this are not exact in floating point; no frame or person has such a number."""
LARGEST_IMAGE = 100_000
"""Pixels of the longest side of an image."""


def number_array(value: Any, what: str, shape: tuple[int | str, ...]) -> np.ndarray:
    """Convert a value to an array of numbers; null becomes NaN.

    Args:
        value: nested lists or an array.
        what: name for the message.
        shape: expected shape, with a name for a dimension of any length.

    Raises:
        InputError: it is not numbers, or has another shape.
    """
    expected = f"expected numbers [{', '.join(map(str, shape))}]" if shape else "expected a number"
    array = floats(value)
    if array is None:
        kind = "an irregular list" if isinstance(value, list) and shape else short(value)
        raise InputError(f"{what} is {kind}, {expected}")
    lengths = zip(shape, array.shape, strict=False)
    if array.ndim != len(shape) or any(isinstance(n, int) and n != m for n, m in lengths):
        raise InputError(f"{what} has shape {list(array.shape)}, {expected}")
    return array


def floats(value: Any) -> np.ndarray | None:
    """Nested lists or an array in double precision, null as NaN; None if they are not real numbers."""
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biufUSO":
        return None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(value, dtype=np.float64)
    except (OverflowError, RecursionError, TypeError, ValueError):
        return None


def whole_number(value: Any, what: str) -> int:
    """Convert a value to an integer, also if it was written as 3.0 or as text.

    Raises:
        InputError: it is not a whole number, or beyond :data:`LARGEST_NUMBER`.
    """
    number = float(number_array(value, what, ()))
    if not number.is_integer() or abs(number) > LARGEST_NUMBER:
        raise InputError(f"{what} is {number}, expected a whole number")
    return int(number)


def short(value: Any) -> str:
    """A value as text for a message, however large it is."""
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, bool | float) or value is None:
        return repr(value)
    if isinstance(value, int):
        return repr(value) if abs(value) <= LARGEST_NUMBER else "a very large number"
    return {dict: "an object", list: "a list"}.get(type(value), type(value).__name__)


def expect_key(mapping: Any, key: str, what: str) -> Any:
    """The value of an object's key.

    Raises:
        InputError: it is no object, or has no such key.
    """
    if not isinstance(mapping, Mapping) or key not in mapping:
        raise InputError(f"{what}: expected an object with the key {key!r}")
    return mapping[key]


def expect_list(value: Any, what: str) -> list:
    """The value, which is a list.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, list):
        raise InputError(f"{what}: expected a list, found {short(value)}")
    return value


def parse_image_size(value: Any, what: str = "image_size") -> tuple[int, int]:
    """Convert a value to width and height in pixels.

    Raises:
        InputError: it is not two whole numbers from 1 to :data:`LARGEST_IMAGE`.
    """
    width, height = number_array(value, what, (2,))
    size = whole_number(width, f"the width in {what}"), whole_number(height, f"the height in {what}")
    if not (min(size) >= 1 and max(size) <= LARGEST_IMAGE):
        raise InputError(f"{what} is {size[0]}x{size[1]}, expected 1 to {LARGEST_IMAGE} pixels a side")
    return size


def parse_rate(value: Any, what: str) -> float:
    """Convert a value to frames per second.

    Raises:
        InputError: it is not a number from :data:`spgnet.limits.SLOWEST` to
            :data:`spgnet.limits.FASTEST`.
    """
    rate = float(number_array(value, what, ()))
    if not SLOWEST <= rate <= FASTEST:
        raise InputError(f"{what} is {rate:g}, expected a positive number from {SLOWEST:g} to {FASTEST:g}")
    return rate


def parse_metadata(content: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the metadata keys of our own format into arguments of :class:`spgnet.keypoints.raw.RawKeypoints`.

    Raises:
        InputError: values are malformed; the message names all of them.
    """
    metadata, errors = {}, []
    for key, (argument, read) in _METADATA.items():
        if content.get(key) is not None:
            try:
                metadata[argument] = read(content[key], key)
            except InputError as error:
                errors.append(str(error))
    lens = metadata.get("distortion")
    if lens is not None and metadata.get("fisheye") and len(lens) != 4:
        errors.append(f"distortion has {len(lens)} numbers, expected k1, k2, k3, k4 of a fisheye")
    if errors:
        raise InputError("; ".join(errors))
    if lens is not None and len(lens) == 4 and not metadata.get("fisheye"):
        metadata["distortion"] = np.append(lens, 0.0)  # OpenCV may omit k3
    return metadata


def _name(value: Any, what: str) -> str:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, str):
        raise InputError(f"{what} is {short(value)}, expected a name")
    return value[:40]


def _camera_matrix(value: Any, what: str) -> np.ndarray:
    matrix = number_array(value, what, (3, 3))
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise InputError(
            f"{what} has no positive focal lengths, expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
        )
    return matrix


def _distortion(value: Any, what: str) -> np.ndarray:
    """k1, k2, p1, p2 and perhaps k3 and k4, k5, k6; of a fisheye k1 to k4."""
    values = number_array(value, what, ("coefficients",))
    if not np.isfinite(values).all():
        raise InputError(f"{what} holds NaN or infinity")
    if len(values) not in (4, 5, 8):
        raise InputError(f"{what} has {len(values)} numbers, expected k1, k2, p1, p2, k3")
    return values


def _flags(value: Any, what: str) -> np.ndarray:
    """0 or 1 for every frame."""
    numbers = number_array(value, what, ("frames",))
    if not np.isin(numbers, (0, 1)).all():
        raise InputError(f"{what} holds other numbers than 0 and 1")
    return numbers == 1


_METADATA = {
    "keypoint_set": ("keypoint_set", _name),
    "timestamps": ("times", lambda value, what: number_array(value, what, ("frames",))),
    "fps": ("fps", parse_rate),
    "image_size": ("image_size", parse_image_size),
    "camera_matrix": ("camera_matrix", _camera_matrix),
    "distortion": ("distortion", _distortion),
    "skipped": ("skipped", _flags),
    "distortion_model": ("fisheye", lambda value, what: is_fisheye(_name(value, what))),
}
METADATA_KEYS = frozenset(_METADATA)
"""Keys of our own format that hold no keypoints."""
