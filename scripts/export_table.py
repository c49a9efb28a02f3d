"""Print the table of ``docs/export.md`` from what ``benchmarks/export_oracles.py`` recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spgnet.evaluation import markdown_table

RECORDED = Path(__file__).parents[1] / "docs" / "export_oracles.json"


def main() -> None:
    print(table(json.loads(RECORDED.read_text())))


def table(checks: Sequence[dict[str, Any]]) -> str:
    """One row for each program, file and quantity; files with the same figure share a row."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for check in checks:
        # Thousandths of a millimetre that are rounding are not told apart.
        value = f"< {check['most']:g}" if 0 < check["value"] < 0.01 else f"{check['value']:.4g}"
        figure = f"{value} {check['unit']}".strip()
        rows.setdefault((check["program"], check["quantity"], figure), []).append(check["file"])
    cells = [[program, _joined(opened), what, figure] for (program, what, figure), opened in rows.items()]
    return markdown_table(["Program", "File", "What", "Figure"], cells, text=(0, 1, 2))


def _joined(opened: Sequence[str]) -> str:
    """Files that are alike but for their suffix, as one."""
    suffixes: dict[str, list[str]] = {}
    for file in opened:
        suffix, _, rest = file.partition(", ")
        suffixes.setdefault(rest, []).append(suffix)
    by_suffixes: dict[str, list[str]] = {}
    for rest, names in suffixes.items():
        by_suffixes.setdefault(" ".join(names), []).append(rest)
    return "; ".join(
        ", ".join([names, *(rest for rest in rests if rest)]) for names, rests in by_suffixes.items()
    )


if __name__ == "__main__":
    main()
