"""Keypoint tables (CSV): a row for each frame and person, a column for each number."""

from __future__ import annotations

import csv
import re
from typing import cast, get_args

import numpy as np

from spgnet.errors import InputError, list_names
from spgnet.keypoints.frame_numbers import frame_span
from spgnet.keypoints.keypoint_names import match_names
from spgnet.keypoints.keypoints import KeypointSetName
from spgnet.keypoints.raw import RawKeypoints
from spgnet.keypoints.table_layout import SCORE_NAMES, Table, check_filled, number_people, widen
from spgnet.keypoints.tracks import Track
from spgnet.keypoints.values import parse_metadata, whole_number

_MAX_LISTED = 4
"""The most errors of a kind that a message lists."""

_KEYS = {
    "frame": {"frame", "frames", "frame_id", "frame_idx", "frame_index", "frame_number", "frame_no"},
    "time": {"time", "times", "timestamp", "time_s", "seconds", "t"},
    "track": {"track", "track_id", "person", "person_id", "individual", "id", "idx"},
}
"""Names of the columns that are of no keypoint."""
_NUMBERED_AFTER = re.compile(rf"(x|y|{'|'.join(SCORE_NAMES)})[\s_.-]?(\d{{1,3}})", re.IGNORECASE)
_NUMBERED_BEFORE = re.compile(rf"([a-z]{{0,10}}\d{{1,3}})(x|y|{'|'.join(SCORE_NAMES)})", re.IGNORECASE)
"""``x0`` and ``y_0``, or ``kp0x``, as people call the columns of keypoints that have numbers and no names."""
_NUMBER = re.compile(
    r"(?:kp|kpt|keypoint|joint|landmark|lm|point|pt|node|p)?[\s_.-]?(\d{1,3})", re.IGNORECASE
)
_PART = re.compile(rf"(.+)[\s_.:/-](x|y|{'|'.join(SCORE_NAMES)})", re.IGNORECASE)


def read_table(text: str) -> Table:
    """The cells of a table, separated by commas, or by semicolons or tabs (perhaps with decimal commas).

    Lines that begin with ``#`` hold metadata: ``# keypoint_set=coco17 image_size=1280x720 fps=30``.

    Raises:
        InputError: there is no row, a quotation mark is not closed, or metadata is malformed.
    """
    lines = [line for line in enumerate(text.splitlines(), start=1) if line[1].strip(' \t,;"')]
    metadata = _comment_metadata(" ".join(line for _, line in lines if _is_comment(line)))
    rows = [(number, line) for number, line in lines if not _is_comment(line)]
    if rows and re.fullmatch(r'"?sep=[,;\t]"?', rows[0][1].strip(" ")):  # how spreadsheets are told it
        rows = rows[1:]
    if len(rows) < 2:
        raise InputError("an empty table, expected a row of column names and a row per frame")
    separator = max(",;\t", key=rows[0][1].count)
    header, *cells = _cells([line for _, line in rows], separator)
    return Table(
        [name.strip() for name in header],
        cells,
        [number for number, _ in rows[1:]],
        separator in ";\t",
        metadata,
    )


def parse_table(table: Table, keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """Parse a table with a column for each number of each keypoint.

    If neither its comments nor the argument name a keypoint set, the columns tell it.

    Raises:
        InputError: columns are missing, cells are not numbers, or a person has two rows in one frame.
    """
    named = table.metadata.get("keypoint_set") or keypoint_set
    if named is not None and named not in get_args(KeypointSetName):
        raise InputError(f"no keypoint set {named!r}; there are {', '.join(get_args(KeypointSetName))}")
    if all(re.fullmatch(r"[-+.\deE]+", name) for name in table.columns):
        raise InputError(
            "the first row holds numbers and no names of columns: add names, or save the numbers as .npy "
            "[frames, keypoints, 3]"
        )
    table = widen(table)
    keys, keypoints, unknown = _understood(table.columns)
    table, keys = number_people(table, keys)
    complete = {name: parts for name, parts in keypoints.items() if "x" in parts and "y" in parts}
    unknown += [name for name in keypoints if name not in complete]
    if ordered := _in_order(list(complete)):
        used, found, remarks = [complete[name] for name in ordered], named, ()
    else:
        matched = match_names(list(complete), cast(KeypointSetName | None, named))
        names = list(complete)
        used = [complete[names[at]] if at >= 0 else {} for at in matched.columns]
        found, remarks = matched.keypoint_set, matched.remarks()
    numbers = _numbers(table, [*keys.values(), *(column for parts in used for column in parts.values())])
    rows = len(table.cells)
    points = np.full((rows, len(used), 3), np.nan)
    points[..., 2] = [1.0 if parts else 0.0 for parts in used]
    for index, parts in enumerate(used):
        for part, column in parts.items():
            points[:, index, ("x", "y", "score").index(part)] = numbers[column]
    columns = {key: numbers[column] for key, column in keys.items()}
    raw = _people(columns, points, table.metadata | {"keypoint_set": found}).remark(*remarks)
    if unknown:
        raw = raw.remark(f"columns that are not understood are left out: {list_names(unknown)}")
    return raw if "frame" in keys else raw.remark("there is no column 'frame': every row is taken for one")


def _understood(columns: list[str]) -> tuple[dict[str, int], dict[str, dict[str, int]], list[str]]:
    """The columns of frame, time and track, those of x, y and score of keypoints, and names of the others.

    Raises:
        InputError: a column is repeated.
    """
    keys: dict[str, int] = {}
    keypoints: dict[str, dict[str, int]] = {}
    unknown, repeated = [], []
    for column, name in enumerate(columns):
        key = next((key for key, names in _KEYS.items() if name.lower() in names), None)
        parts = _name_and_part(name[:100])
        if key is not None:
            found, part = keys, key
        elif parts is not None:
            found, part = keypoints.setdefault(parts[0], {}), parts[1]
        else:
            unknown += [name] if name else []
            continue
        if part in found:
            repeated.append(name)
        found[part] = column
    if repeated:
        raise InputError(f"columns are repeated: {list_names(repeated)}")
    return keys, keypoints, unknown


def _name_and_part(column: str) -> tuple[str, str] | None:
    """The keypoint of a column, and whether its numbers are x, y or score; None if it is not understood."""
    if match := _PART.fullmatch(column) or _NUMBERED_BEFORE.fullmatch(column):
        name, part = match[1].strip(), match[2].lower()
    elif match := _NUMBERED_AFTER.fullmatch(column):
        name, part = match[2], match[1].lower()
    else:
        return None
    return name, part if part in ("x", "y") else "score"


def _in_order(names: list[str]) -> list[str]:
    """The names in the order of the keypoints, if they are numbers from 0 or 1; else empty."""
    numbers = [int(match[1]) if (match := _NUMBER.fullmatch(name)) else -1 for name in names]
    first = min(numbers, default=-1)
    if first not in (0, 1) or sorted(numbers) != list(range(first, first + len(names))):
        return []
    return sorted(names, key=lambda name: numbers[names.index(name)])


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
    # The look-behind keeps the time in proportion to the text: a word is tried at its beginning only.
    metadata: dict = dict(re.findall(r"(?<!\w)(\w{1,30}) {0,4}[=:] {0,4}([^\s,;\"]{1,60})", comments))
    if "image_size" in metadata:
        metadata["image_size"] = metadata["image_size"].lower().split("x")
    known = ("keypoint_set", "image_size", "fps")
    return parse_metadata({key: value for key, value in metadata.items() if key in known})


def _numbers(table: Table, columns: list[int]) -> dict[int, np.ndarray]:
    """The numbers in some columns; NaN for empty cells.

    Raises:
        InputError: cells are not numbers, or rows are too long.
    """
    check_filled(table.cells, len(columns))
    numbers = {column: np.full(len(table.cells), np.nan) for column in columns}
    errors = []
    width = len(table.columns)
    for row, (line, values) in enumerate(zip(table.lines, table.cells, strict=True)):
        if len(values) > width and any(value.strip() for value in values[width:]):
            errors.append(f"line {line} has {len(values)} cells for {width} columns")
        for column in columns:
            value = values[column].strip() if column < len(values) else ""
            cell = value.replace(",", ".") if table.decimal_commas else value
            if cell:
                try:
                    numbers[column][row] = float(cell)
                except ValueError:
                    errors.append(
                        f"line {line}, column {table.columns[column][:40]}: {cell[:40]!r} is no number"
                    )
    if errors:
        more = f"; and {len(errors) - _MAX_LISTED} more" if len(errors) > _MAX_LISTED else ""
        raise InputError("; ".join(errors[:_MAX_LISTED]) + more)
    return numbers


def _people(columns: dict[str, np.ndarray], points: np.ndarray, metadata: dict) -> RawKeypoints:
    """Raw keypoints of a row for each frame and person, with points [rows, keypoints, 3]."""
    frames = columns.get("frame", np.arange(len(points)))
    numbers = [whole_number(value, "a frame") for value in frames]
    tracks = [whole_number(value, "a track") for value in columns.get("track", np.ones(len(numbers)))]
    first, span = frame_span(numbers)
    rows: dict[int, dict[int, int]] = {}
    for row, (number, track) in enumerate(zip(numbers, tracks, strict=True)):
        if number - first in rows.setdefault(track, {}):
            raise InputError(f"frame {number} occurs twice for track {track}, expected one row per person")
        rows[track][number - first] = row
    people = {}
    for track, some in rows.items():
        order = np.array(sorted(some))
        people[track] = Track(order, points[[some[frame] for frame in order.tolist()]])
    times = _times(columns, np.array(numbers) - first, span)
    return RawKeypoints(people, span, first=first, times=times, normalised=None, **metadata)


def _times(columns: dict[str, np.ndarray], frames: np.ndarray, span: int) -> np.ndarray | None:
    """The time of every frame in seconds, interpolated for absent frames; None if the table has no times."""
    if "time" not in columns or np.isnan(columns["time"]).all():
        return None
    known, rows = np.unique(frames, return_index=True)
    return np.interp(np.arange(span), known, columns["time"][rows])
