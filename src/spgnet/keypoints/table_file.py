"""Keypoint tables (CSV): a row for each frame and person, a column for each number."""

from __future__ import annotations

import csv
import re
from typing import cast, get_args

import numpy as np

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, KEYPOINT_NAMES, KeypointSetName
from spgnet.keypoints.raw import RawKeypoints, frame_span, missing, parse_metadata, whole_number

_MAX_LISTED = 6
"""The most errors of a kind that a message lists."""


def parse_table(text: str, keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """Parse a table.

    Lines that begin with ``#`` hold metadata: ``# keypoint_set=coco17 image_size=1280x720 fps=30``. If
    neither they nor the argument name a keypoint set, it is inferred from the columns. Separators are commas,
    semicolons (then numbers may have decimal commas) or tabs.

    Raises:
        InputError: columns are missing, cells are not numbers, or a person has two rows in one frame.
    """
    lines = [line for line in enumerate(text.splitlines(), start=1) if line[1].strip(' \t,;"')]
    metadata = _comment_metadata(" ".join(line for _, line in lines if _is_comment(line)))
    rows = [(number, line) for number, line in lines if not _is_comment(line)]
    if len(rows) < 2:
        raise InputError("an empty table, expected a row of column names and a row per frame")
    separator = max(",;\t", key=rows[0][1].count)
    header, *cells = _cells([line for _, line in rows], separator)
    columns = [name.strip().lower() for name in header]
    named = metadata.get("keypoint_set") or keypoint_set or _set_of_columns(columns)
    if named not in get_args(KeypointSetName):
        raise InputError(f"no keypoint set {named!r}; there are {', '.join(get_args(KeypointSetName))}")
    metadata["keypoint_set"] = cast(KeypointSetName, named)
    wanted = _wanted_columns(columns, metadata["keypoint_set"])
    table = _numbers(columns, cells, [number for number, _ in rows[1:]], separator == ";")
    return _parse(table, wanted, metadata)


def _cells(lines: list[str], separator: str) -> list[list[str]]:
    try:
        cells = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InputError(f"not a table ({error})") from None
    if len(cells) != len(lines):
        raise InputError("not a table: a quotation mark is not closed")
    return cells


def _is_comment(line: str) -> bool:
    return line.lstrip(' "').startswith("#")


def _comment_metadata(comments: str) -> dict:
    metadata: dict = dict(re.findall(r"(\w+)\s*[=:]\s*([^\s,;\"]+)", comments))
    if "image_size" in metadata:
        metadata["image_size"] = metadata["image_size"].lower().split("x")
    known = ("keypoint_set", "image_size", "fps")
    return parse_metadata({key: value for key, value in metadata.items() if key in known})


def _set_of_columns(columns: list[str]) -> KeypointSetName:
    """The set of which the smallest fraction of keypoints is missing; among equals the largest set."""

    def missing_share(name: KeypointSetName) -> float:
        return sum(f"{joint}_x" not in columns for joint in KEYPOINT_NAMES[name]) / KEYPOINT_COUNTS[name]

    return min(KEYPOINT_NAMES, key=lambda name: (missing_share(name), -KEYPOINT_COUNTS[name]))


def _wanted_columns(columns: list[str], keypoint_set: KeypointSetName) -> list[tuple[str, ...]]:
    """The columns of every keypoint: x and y, and score if the table has score columns.

    Raises:
        InputError: columns are missing or repeated.
    """
    parts = ("x", "y", "score") if any(name.endswith("_score") for name in columns) else ("x", "y")
    wanted = [tuple(f"{joint}_{part}" for part in parts) for joint in KEYPOINT_NAMES[keypoint_set]]
    missing_columns = [name for name in ("frame", *sum(wanted, ())) if name not in columns]
    if missing_columns:
        more = f" and {len(missing_columns) - _MAX_LISTED} more" if len(missing_columns) > _MAX_LISTED else ""
        raise InputError(
            f"columns are missing: {', '.join(missing_columns[:_MAX_LISTED])}{more}; expected frame and "
            f"{', '.join(wanted[0])} and so on for the keypoints of {keypoint_set}"
        )
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        raise InputError(f"columns are repeated: {', '.join(repeated[:_MAX_LISTED])}")
    return wanted


def _numbers(
    columns: list[str], cells: list[list[str]], lines: list[int], decimal_commas: bool
) -> dict[str, np.ndarray]:
    """The numbers of every numeric column by its name; NaN for empty cells.

    Raises:
        InputError: cells are not numbers, or rows are too long.
    """
    table = {name: np.full(len(cells), np.nan) for name in columns if _is_number_column(name)}
    errors = []
    for row, (line, values) in enumerate(zip(lines, cells, strict=True)):
        if len(values) > len(columns) and any(value.strip() for value in values[len(columns) :]):
            errors.append(f"line {line} has {len(values)} cells for {len(columns)} columns")
        for name, value in zip(columns, values, strict=False):
            cell = value.strip().replace(",", ".") if decimal_commas else value.strip()
            if cell and name in table:
                try:
                    table[name][row] = float(cell)
                except ValueError:
                    errors.append(f"line {line}, column {name}: {cell!r} is no number")
    if errors:
        more = f"; and {len(errors) - _MAX_LISTED} more" if len(errors) > _MAX_LISTED else ""
        raise InputError("; ".join(errors[:_MAX_LISTED]) + more)
    return table


def _is_number_column(name: str) -> bool:
    return name in ("frame", "time", "track") or name.endswith(("_x", "_y", "_score"))


def _parse(table: dict[str, np.ndarray], wanted: list[tuple[str, ...]], metadata: dict) -> RawKeypoints:
    numbers = [whole_number(value, "a frame") for value in table["frame"]]
    tracks = [whole_number(value, "a track") for value in table.get("track", np.ones(len(numbers)))]
    points = np.ones((len(numbers), len(wanted), 3))
    for joint, names in enumerate(wanted):
        for part, name in enumerate(names):
            points[:, joint, part] = table[name]
    first, span = frame_span(numbers)
    people: dict[int, np.ndarray] = {}
    filled: set[tuple[int, int]] = set()
    for number, track, row in zip(numbers, tracks, points, strict=True):
        if (number, track) in filled:
            raise InputError(f"frame {number} occurs twice for track {track}, expected one row per person")
        filled.add((number, track))
        people.setdefault(track, missing(span, len(wanted)))[number - first] = row
    return RawKeypoints(people, first=first, times=_times(table, np.array(numbers) - first, span), **metadata)


def _times(table: dict[str, np.ndarray], frames: np.ndarray, span: int) -> np.ndarray | None:
    """The time of every frame in seconds, interpolated for absent frames; None if the table has no times."""
    if "time" not in table or np.isnan(table["time"]).all():
        return None
    known, rows = np.unique(frames, return_index=True)
    return np.interp(np.arange(span), known, table["time"][rows])
