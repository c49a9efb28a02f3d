"""Write the table of docs/speed.md from docs/speed.json, which ``spgnet bench --out`` writes.

Usage: ``python scripts/speed_page.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spgnet.bench import shown
from spgnet.evaluation import markdown_table
from spgnet.files import read_json, write_text

DOCS = Path(__file__).parents[1] / "docs"
START, END = "<!-- speed -->\n", "<!-- end of speed -->"


def main() -> None:
    page = DOCS / "speed.md"
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    write_text(page, before + START + table(read_json(DOCS / "speed.json")) + END + after)


def table(result: dict[str, Any]) -> str:
    """Machine and timings in Markdown."""
    machine, settings = result["machine"], result["settings"]
    rows = [
        [
            timing["what"],
            f"{shown(timing['value'])} {timing['unit']}",
            timing["peer"] or "–",
            "–" if timing["peer_value"] is None else shown(timing["peer_value"]),
            "–" if timing["ratio"] is None else f"{timing['ratio']:.2f}",
            "; ".join(f"{name}: {shown(value)}" for name, value in timing["notes"].items()),
        ]
        for timing in result["timings"]
    ]
    header = ["", "spgnet", "beside", "it", "ratio", "notes"]
    return (
        f"{machine['processor']} ({machine['cores']} cores), {settings['threads']} thread, median of "
        f"{settings['repeats']}; matrix products run at {machine['matrix_gflops']:g} GFLOP/s; PyTorch "
        f"{machine['torch']}, commit {machine['commit']}.\n\n" + markdown_table(header, rows, text=(0, 2, 5))
    )


if __name__ == "__main__":
    main()
