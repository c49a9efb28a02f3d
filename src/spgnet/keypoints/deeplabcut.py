"""DeepLabCut's tables (CSV): rows of scorer, individuals, bodyparts and coords above a row for each frame."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

from spgnet.errors import InputError, list_names
from spgnet.keypoints.arrays import named_people
from spgnet.keypoints.keypoints import KeypointSetName
from spgnet.keypoints.raw import RawKeypoints
from spgnet.keypoints.table_layout import check_filled

_LEVELS = ("scorer", "individuals", "bodyparts", "coords")


def is_deeplabcut(text: str) -> bool:
    """Whether a table begins as DeepLabCut's do."""
    return text[:200].lstrip().lower().startswith(("scorer,", "scorer;", "scorer\t"))


def parse_deeplabcut_csv(text: str, keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """Parse the table of a video, of one or of several individuals; x and y in pixels, likelihood as score.

    Raises:
        InputError: header rows are missing, cells are not numbers, or the body parts make no keypoint set.
    """
    lines = [line for line in text.splitlines() if line.strip(" ,;\t")]
    separator = max(",;\t", key=lines[0].count)
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InputError(f"not a table ({error})") from None
    header = {
        row[0].strip().lower(): row[1:] for row in rows[:4] if row and row[0].strip().lower() in _LEVELS
    }
    body = rows[len(header) :]
    if "bodyparts" not in header or "coords" not in header or not body:
        raise InputError("expected rows scorer, bodyparts and coords, and then a row for each frame")
    levels = [header[name] for name in ("bodyparts", "coords")]
    width = min(len(level) for level in levels)
    individuals = header.get("individuals", [""] * width)
    columns = list(zip(individuals, *levels, strict=False))
    check_filled(body, len(columns))
    values = np.full((len(body), len(columns)), np.nan)
    for index, row in enumerate(body):
        cells = row[1 : 1 + len(columns)]
        try:
            values[index, : len(cells)] = [float(cell) if cell.strip() else np.nan for cell in cells]
        except ValueError:
            wrong = next(cell for cell in cells if cell.strip() and not _is_number(cell))
            raise InputError(f"row {index + len(header) + 1}: {wrong[:40]!r} is no number") from None
    return parse_columns(columns, values, keypoint_set)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def parse_columns(
    columns: list[tuple[Any, ...]], values: np.ndarray, keypoint_set: KeypointSetName | None
) -> RawKeypoints:
    """Raw keypoints of values [frames, columns], each with an individual, a body part and a coordinate.

    Raises:
        InputError: x or y are missing, or the body parts make no keypoint set.
    """
    index: dict[tuple[str, str, str], int] = {}
    for number, (individual, part, coordinate) in enumerate(columns):
        index[str(individual), str(part), str(coordinate).lower()] = number
    people = list(dict.fromkeys(individual for individual, _, _ in index if individual.lower() != "single"))
    people = people or ["single"]
    parts = list(
        dict.fromkeys(
            part
            for individual, part, coordinate in index
            if individual in people and coordinate == "x" and (individual, part, "y") in index
        )
    )
    if not parts:
        raise InputError(
            f"no body part has x and y; found coords {list_names(sorted({key[2] for key in index}))}"
        )
    if len(parts) * len(people) > len(columns):
        raise InputError(f"the {len(people)} individuals have different body parts, {len(parts)} in all")
    position = np.full((len(values), len(parts), len(people), 2), np.nan)
    scores = np.ones(position.shape[:3])
    for one, individual in enumerate(people):
        for at, part in enumerate(parts):
            for axis, coordinate in enumerate("xy"):
                if (individual, part, coordinate) in index:
                    position[:, at, one, axis] = values[:, index[individual, part, coordinate]]
            if (individual, part, "likelihood") in index:
                scores[:, at, one] = values[:, index[individual, part, "likelihood"]]
    return named_people(position, scores, parts, keypoint_set)
