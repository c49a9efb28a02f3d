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
    """The largest distance, angle or number of messages for each program and quantity, over all its files.

    Counts of what must be there (frames, cameras, ...) are recorded and checked, but not shown.
    """
    rows: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for check in checks:
        if check["unit"] in ("mm", "°") or check["quantity"] == "messages":
            rows.setdefault((check["program"], check["quantity"], check["most"]), []).append(check)
    cells = [[program, _files(found), what, _worst(found)] for (program, what, _), found in rows.items()]
    return markdown_table(["Program", "File", "What", "Figure"], cells, text=(0, 1, 2))


def _files(checks: Sequence[dict[str, Any]]) -> str:
    """The file of a check, or the suffixes of several."""
    if len(checks) == 1:
        return checks[0]["file"]
    return " ".join(dict.fromkeys(check["file"].partition(",")[0] for check in checks))


def _worst(checks: Sequence[dict[str, Any]]) -> str:
    worst = max(checks, key=lambda check: check["value"])
    # Thousandths of a millimetre that are rounding are not told apart.
    value = f"< {worst['most']:g}" if 0 < worst["value"] < 0.01 else f"{worst['value']:.4g}"
    return f"{value} {worst['unit']}".strip()


if __name__ == "__main__":
    main()
