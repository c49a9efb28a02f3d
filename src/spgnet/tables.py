"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, labels: int) -> str:
    """A Markdown table whose first ``labels`` columns are text, and the others numbers, set to the right."""
    rule = ["---"] * labels + ["---:"] * (len(header) - labels)
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *rows))
