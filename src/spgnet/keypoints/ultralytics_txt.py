"""The ``labels`` folder of Ultralytics (``save_txt=True``): a text file for each frame with people in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spgnet.errors import InputError
from spgnet.keypoints.frame_numbers import frame_numbers
from spgnet.keypoints.raw import RawKeypoints, raw_from_frames
from spgnet.keypoints.set_choice import SET_BY_COUNT
from spgnet.keypoints.tracks import Person
from spgnet.keypoints.values import number_array, whole_number

_BOX = 5
"""Numbers before the keypoints: class, and centre and size of the box."""


def parse_ultralytics_txt(files: list[tuple[str, str]]) -> RawKeypoints:
    """Parse a line for each person: class, box, x, y and visibility of the keypoints, as shares of the image,
    and perhaps the box's confidence (``save_conf``) and the tracker's number.

    Args:
        files: name and text of each file, in their order.

    Raises:
        InputError: lines are not numbers, or not as many as the keypoints of a set have.
    """
    rows = []
    for file, (name, text) in enumerate(files):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                values = number_array(
                    _floats(line, f"{name}: line {number}"), f"{name}: line {number}", ("n",)
                )
                rows.append((file, values))
    if not rows:
        raise InputError("it holds no person: the files are empty")
    lengths = sorted({len(values) for _, values in rows})
    numbers, remark = frame_numbers([name for name, _ in files], "file names")
    count, each = _keypoints(max(lengths) - _BOX, min(lengths) - _BOX)
    end = _BOX + count * each
    last = [values[-1] for _, values in rows if len(values) > end]
    tracked = len(last) == len(rows) and all(value.is_integer() and value > 0 for value in last)
    frames: dict[int, list[Person]] = {number: [] for number in numbers}
    for file, values in rows:
        points = values[_BOX:end].reshape(count, each)
        if each == 2:
            points = np.column_stack((points, np.ones(count)))
        track = whole_number(values[-1], "a track") if tracked else None
        frames[numbers[file]].append(Person(points, track))
    return replace(raw_from_frames(frames, remark), normalised=True)


def _floats(line: str, what: str) -> list[float]:
    try:
        return [float(cell) for cell in line.split()]
    except ValueError:
        raise InputError(
            f"{what} is not numbers; text files without column names are read as Ultralytics's labels: "
            "class, box and keypoints of each person"
        ) from None


def _keypoints(most: int, fewest: int) -> tuple[int, int]:
    """How many keypoints there are, and how many numbers each has, from the longest and the shortest line."""
    for each in (3, 2):
        for count in SET_BY_COUNT:
            if all(0 <= length - count * each <= 2 for length in (most, fewest)):
                return count, each
    if most <= 2:
        raise InputError(
            f"lines have {most + _BOX} numbers: boxes of Ultralytics without keypoints; expected those of a "
            "pose model (yolo...-pose), of which a line has 56"
        )
    if any(most + _BOX == count * each for count in SET_BY_COUNT for each in (2, 3)):
        raise InputError(
            f"lines of {most + _BOX} numbers, without names: save them as .npy: "
            "numpy.save('x.npy', numpy.loadtxt('x.txt'))"
        )
    raise InputError(
        f"lines have {most + _BOX} numbers, expected a class, a box and x, y and visibility of the keypoints "
        "of a pose model: 17 of COCO make 56"
    )
