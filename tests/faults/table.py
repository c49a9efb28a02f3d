"""The table of the faults that were tried, kept as JSON and shown in docs/trust.md."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from faults.trials import Outcome

ROOT = Path(__file__).resolve().parents[2]
PAGE, RESULTS = ROOT / "docs/trust.md", ROOT / "docs/faults.json"
BEGIN, END = "<!-- faults: written by make test-faults -->", "<!-- end of faults -->"
HEADING = "## Faults survived"


@dataclass
class Row:
    """How often one fault was tried on one command, and what came of it.

    Attributes:
        command: what was disturbed.
        fault: by what.
        tried: how often.
        steps: how often it hit a training step; the next three, a file being written, a download, anything
            else that the command was doing.
        late: how often the command had ended, or failed nowhere.
        lost: results that had been reported and were gone or incomplete.
        half: files under their final names that were not whole.
        differing: second runs that did not come to the undisturbed result.
        left: temporary files that the second run left.
        wrong: tracebacks, and second runs that failed.
    """

    command: str
    fault: str
    tried: int = 0
    steps: int = 0
    writes: int = 0
    downloads: int = 0
    other: int = 0
    late: int = 0
    lost: int = 0
    half: int = 0
    differing: int = 0
    left: int = 0
    wrong: int = 0

    def count(self, outcome: Outcome) -> None:
        """Add a trial."""
        kind = "late" if outcome.during is None else outcome.during.split()[0]
        names = {"late": "late", "step": "steps", "write": "writes", "download": "downloads"}
        name = names.get(kind, "other")
        setattr(self, name, getattr(self, name) + 1)
        self.tried += 1
        for name in ("lost", "half", "differing", "left", "wrong"):
            setattr(self, name, getattr(self, name) + bool(getattr(outcome, name)))


HEADINGS = {
    "command": "Command",
    "fault": "Fault",
    "tried": "Tried",
    "steps": "in a training step",
    "writes": "in a write",
    "downloads": "in a download",
    "other": "elsewhere",
    "late": "no effect",
    "lost": "Lost",
    "half": "Half-written",
    "differing": "Rerun differs",
    "left": "Left behind",
    "wrong": "Other",
}


def merge(rows: list[Row], path: Path) -> list[Row]:
    """Rows that were kept before, with the new ones in the place of theirs; they are kept in turn."""
    former = [Row(**each) for each in json.loads(path.read_text())] if path.exists() else []
    merged = {(row.command, row.fault): row for row in (*former, *rows)}
    kept = sorted(merged.values(), key=lambda row: _ORDER(row))
    path.write_text(json.dumps([asdict(row) for row in kept], indent=1) + "\n")
    return kept


def _ORDER(row: Row) -> tuple[int, str, str]:
    return (
        0 if row.fault.startswith("SIG") else 1,
        row.fault if not row.fault.startswith("SIG") else "",
        row.command + row.fault,
    )


def markdown(rows: list[Row]) -> str:
    """The table."""
    lines = ["| " + " | ".join(HEADINGS.values()) + " |", "|---|---" + "|--:" * (len(HEADINGS) - 2) + "|"]
    lines += ["| " + " | ".join(str(getattr(row, name)) for name in HEADINGS) + " |" for row in rows]
    return "\n".join(lines)


def by_fault(rows: list[Row]) -> list[Row]:
    """The sums over the commands: a row for each fault."""
    sums: dict[str, Row] = {}
    for row in rows:
        total = sums.setdefault(row.fault, Row("", row.fault))
        total.command = f"{total.command}, {row.command}".removeprefix(", ")
        for name in list(HEADINGS)[2:]:
            setattr(total, name, getattr(total, name) + getattr(row, name))
    return list(sums.values())


def show(rows: list[Row], page: Path) -> None:
    """Put the table of sums between its marks in a page, under their heading if they have no place yet."""
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text:
        text = text.replace(HEADING, f"{HEADING}\n\n{BEGIN}\n{END}", 1)
    before, rest = text.split(BEGIN)
    page.write_text(
        f"{before}{BEGIN}\n\n{markdown(by_fault(rows))}\n\n{END}{rest.split(END)[1]}", encoding="utf-8"
    )
