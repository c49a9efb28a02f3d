"""The results page: what ``spgnet reproduce`` gave, as one Markdown page with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spgnet.reproduction.artefacts import ARTEFACTS
from spgnet.reproduction.figures import picture_endings
from spgnet.reproduction.tables import report

INTRODUCTION = """# Results

This page is generated from `results.json` beside it by `python scripts/results_page.py` and is never
edited by hand. Every figure of ours is that of a run whose command, commit and seed are in that file. **None
of ours is a Human3.6M figure**: that data set is licensed, and we have not run it. They are from the [open
benchmark](open_benchmark.md), with small networks and short training, and do not compare with the paper's,
which are quoted as printed (in brackets the mean of the printed column, where the printed average is another
one). [How to run the same on Human3.6M](reproduce.md).
"""


def results_page(results: Sequence[dict[str, Any]]) -> str:
    """The page of some tables and figures, in the order of :data:`ARTEFACTS`."""
    known = {result["artefact"]: result for result in results}
    parts = [INTRODUCTION]
    for name, about in ARTEFACTS.items():
        if name in known:
            pictures = "".join(
                f"\n![{about.title}](results/{name}{ending}.png)\n" for ending in picture_endings(known[name])
            )
            parts.append(f"## {about.title}\n\n{report(known[name])}{pictures}")
    return "\n".join(parts)
