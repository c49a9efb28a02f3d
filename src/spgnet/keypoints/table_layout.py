"""Layouts of tables other than a row for each frame and person with a numbered person: made into that one."""

from __future__ import annotations

from typing import NamedTuple

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.keypoints.set_choice import SET_BY_COUNT

SCORE_NAMES = (
    *("score", "confidence", "conf", "likelihood", "visibility", "visible", "vis", "probability", "prob"),
    *("c", "v", "p", "s"),
)
"""What people call the score of a keypoint at the end of its column's name."""
_NAME_COLUMNS = (
    *(
        "keypoint",
        "landmark",
        "bodypart",
        "body_part",
        "joint",
        "node",
        "name",
        "keypoint_name",
        "landmark_name",
    ),
    *("keypoint_id", "landmark_id", "joint_name", "joint_id"),
)
_MOST_NAMES, _MOST_COLUMNS = 1000, 50
"""Keypoints and columns that a table of a row for each keypoint may have."""


class Table(NamedTuple):
    """The cells of a table, its column names, the numbers of its lines, and what its comments say."""

    columns: list[str]
    cells: list[list[str]]
    lines: list[int]
    decimal_commas: bool
    metadata: dict


def widen(table: Table) -> Table:
    """A table of a row for each keypoint, with columns for its name, x, y and score, as one of a row for each
    frame and person; another one as it is.

    Raises:
        InputError: a keypoint has two rows, or there are too many.
    """
    columns = [name.lower() for name in table.columns]
    named = next((columns.index(name) for name in _NAME_COLUMNS if name in columns), None)
    if named is None or "x" not in columns or "y" not in columns or len(columns) > _MOST_COLUMNS:
        return table
    score = next((columns.index(name) for name in SCORE_NAMES if name in columns), None)
    parts = {"x": columns.index("x"), "y": columns.index("y")} | ({} if score is None else {"score": score})
    kept = [at for at, name in enumerate(columns) if at != named and at not in parts.values() and name != "z"]
    width = len(columns)
    rows: dict[tuple[str, ...], dict[str, list[str]]] = {}
    first: dict[tuple[str, ...], int] = {}
    names: dict[str, None] = {}
    for line, cells in zip(table.lines, table.cells, strict=True):
        row = [cell.strip() for cell in cells[:width]] + [""] * (width - len(cells))
        key = tuple(row[at] for at in kept)
        first.setdefault(key, line)
        if row[named] in rows.setdefault(key, {}):
            raise InputError(f"line {line}: a second row of {row[named][:40]!r} in one frame")
        rows[key][row[named]] = [row[at] for at in parts.values()]
        names[row[named]] = None
        if len(names) > _MOST_NAMES:
            raise InputError(f"column {table.columns[named]!r} names more than {_MOST_NAMES} keypoints")
    if len(rows) * len(names) > 10_000 + 10 * len(table.cells):
        raise InputError(
            f"{len(table.cells)} rows for {len(rows)} frames of {len(names)} keypoints: most are missing"
        )
    empty = [""] * len(parts)
    wide = (f"{name}_{part}" for name in _named(list(names)) for part in parts)
    return Table(
        [*(table.columns[at] for at in kept), *wide],
        [[*key, *(cell for name in names for cell in some.get(name, empty))] for key, some in rows.items()],
        [first[key] for key in rows],
        table.decimal_commas,
        table.metadata,
    )


def _named(names: list[str]) -> list[str]:
    """The names of keypoints that are numbered from 0, if a set has as many; others as they are."""
    if not all(name.isdecimal() and len(name) < 5 for name in names):
        return names
    keypoint_set = SET_BY_COUNT.get(max(map(int, names)) + 1)
    return names if keypoint_set is None else [KEYPOINT_NAMES[keypoint_set][int(name)] for name in names]


def check_filled(cells: list[list[str]], columns: int) -> None:
    """Refuse a table most of whose cells are not there, which takes far more memory than its file.

    Raises:
        InputError: it is one.
    """
    there = sum(map(len, cells))
    if len(cells) * columns > 100_000 + 10 * there:
        raise InputError(f"{len(cells)} rows of {columns} columns have {there} cells only: most are missing")


def number_people(table: Table, keys: dict[str, int]) -> tuple[Table, dict[str, int]]:
    """The table with numbers instead of people's names, in the order in which they appear, and the columns of
    frame, time and track; without the latter if it is empty."""
    column = keys.get("track")
    if column is None:
        return table, keys
    texts = [cells[column].strip() if column < len(cells) else "" for cells in table.cells]
    if not any(texts):
        return table, {key: at for key, at in keys.items() if key != "track"}
    if all(text.replace(".", "", 1).lstrip("-").isdecimal() for text in texts if text):
        return table, keys
    numbers = {text: str(number) for number, text in enumerate(dict.fromkeys(texts), start=1)}
    cells = [
        [*row[:column], numbers[text], *row[column + 1 :]]
        for row, text in zip(table.cells, texts, strict=True)
    ]
    return table._replace(cells=cells), keys
