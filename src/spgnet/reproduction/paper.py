"""The paper's printed results, quoted as data, and an audit of their averages.

Every number is quoted as printed; none was measured by this project. Errors are in millimetres.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import fmean
from typing import Any, Literal

ROUNDING = 0.05
"""Half a unit of the last printed digit, in millimetres."""


BONE_SPREAD = 0.065
"""Section 4.5 on Figure 5: "the errors are all within 0.065 meters", of sixteen bones in seven frames."""


@dataclass(frozen=True)
class PaperTable:
    """One printed table. Table 3 holds two, one for each protocol.

    Args:
        name: as printed, for example ``"Table 1"``.
        protocol: 1 (MPJPE) or 2 (after a similarity alignment).
        input: where the 2D poses come from, ``"CPN"`` or ``"ground truth"``.
        caption: as printed.
        methods: the columns; ``"Our"`` is SPGNet.
        actions: the rows.
        values: errors in millimetres, ``values[action][method]``.
        averages: the printed last row.
        bold: (row, method) of the cells printed in bold; the last row is called ``"Avg"``.
        underlined: (row, method) of the cells printed underlined.
    """

    name: str
    protocol: int
    input: str
    caption: str
    methods: tuple[str, ...]
    actions: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    averages: tuple[float, ...]
    bold: frozenset[tuple[str, str]]
    underlined: frozenset[tuple[str, str]]

    def column(self, method: str) -> tuple[float, ...]:
        """A method's errors, one for each action."""
        return tuple(row[self.methods.index(method)] for row in self.values)

    def column_means(self) -> dict[str, float]:
        """Mean over the actions of every method's errors."""
        return {method: fmean(self.column(method)) for method in self.methods}


@dataclass(frozen=True)
class AuditedAverage:
    """A printed average beside the mean of its column."""

    table: str
    protocol: int
    method: str
    printed: float
    mean: float

    @property
    def verdict(self) -> Literal["matches", "rounding", "differs"]:
        """Whether the mean rounds to the printed average, or could if the rows were not rounded."""
        gap = abs(self.printed - self.mean) - 1e-9
        return "matches" if gap <= ROUNDING else "rounding" if gap <= 2 * ROUNDING else "differs"


@dataclass(frozen=True)
class Reference:
    """Published errors of the encoder trained with MPJPE alone, in millimetres."""

    model: str
    input: str
    protocol_1: float
    protocol_2: float
    source: str


@cache
def _quoted() -> dict[str, Any]:
    return json.loads(files("spgnet.reproduction").joinpath("paper_tables.json").read_text())


def paper_tables() -> tuple[PaperTable, ...]:
    """Tables 1, 2 and 3, the last as one table for each protocol."""

    def marks(rows: dict[str, list[str]]) -> frozenset[tuple[str, str]]:
        return frozenset((row, method) for row, methods in rows.items() for method in methods)

    def freeze(table: dict[str, Any]) -> PaperTable:
        frozen = {key: tuple(table[key]) for key in ("methods", "actions", "averages")}
        frozen["values"] = tuple(tuple(row) for row in table["values"])
        return PaperTable(
            **{**table, **frozen, "bold": marks(table["bold"]), "underlined": marks(table["underlined"])}
        )

    return tuple(freeze(table) for table in _quoted()["tables"])


def references() -> tuple[Reference, ...]:
    """VideoPose3D with 243 frames, as quoted from Pavllo et al."""
    return tuple(Reference(**row) for row in _quoted()["references"])


def audit(table: PaperTable) -> tuple[AuditedAverage, ...]:
    """The printed average of every column beside its mean."""
    means = table.column_means()
    return tuple(
        AuditedAverage(table.name, table.protocol, method, printed, means[method])
        for method, printed in zip(table.methods, table.averages, strict=True)
    )
