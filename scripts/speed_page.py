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

GOALS = {
    "lifting, J = 27, 256 channels": "ratio 1",
    "lifting, J = 243, 1024 channels": "ratio 1",
    "training step on 1024 windows, J = 27, 256 channels": "ratio 1.5",
    "training step on 256 windows, J = 243, 1024 channels": "ratio 1.5",
    "Protocol 2": "ratio 1.6",
    "one frame live, live": "1 ms, p99 below 2",
    "drawing the samples, share of a step of randomized": "15 %",
    "waiting for samples with --machine.workers 1, share of a step of randomized": "15 %",
    "an hour of 60 Hz keypoints, not refined": "1 GB",
    "spgnet --help": "0.5 s",
}
"""What each line is to reach."""


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
            GOALS.get(timing["what"], "–"),
            "; ".join(f"{name}: {shown(value)}" for name, value in timing["notes"].items()),
        ]
        for timing in result["timings"]
    ]
    header = ["", "spgnet", "beside", "it", "ratio", "goal", "notes"]
    return (
        f"{machine['processor']} ({machine['cores']} cores), {settings['threads']} thread, median of "
        f"{settings['repeats']}; matrix products run at {machine['matrix_gflops']:g} GFLOP/s; PyTorch "
        f"{machine['torch']}, commit {machine['commit']}.\n\n"
        + markdown_table(header, rows, text=(0, 2, 5, 6))
    )


if __name__ == "__main__":
    main()
