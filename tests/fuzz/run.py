"""Try many changed files on every reader, and write what came of it into docs/trust.md.

    python tests/fuzz/run.py --inputs 500000 --jobs 2

Each reader runs in processes of its own, with a limit on memory and on the seconds of an input, so that one
that crashes or hangs is a finding too. Progress and findings are kept in the folder, and a run that was
stopped goes on from there. Input number N of a reader is always the same: ``--reader NAME --number N`` tries
it alone.
"""

from __future__ import annotations

import argparse
import json
import mmap
import multiprocessing
import os
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from fuzz.readers import READERS, Reader
from fuzz.trial import Corpus, slug

MEMORY = 4 * 2**30
"""Bytes of address space that a process may take beyond what it has at the start."""
PATIENCE = 60.0
"""Seconds on the clock after which an input counts as one that hangs."""
PIECE = 2000
"""Inputs of a process."""
SMALLEST = 4096
"""Bytes that a file is counted as at least: what reading costs whatever is in it is no cost of its bytes."""
BEGIN, END = "<!-- figures of tests/fuzz/run.py -->", "<!-- end of the figures -->"


@dataclass
class Tally:
    """What came of the inputs of a reader so far; costs are the worst of any input."""

    inputs: int = 0
    refused: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    examples: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    slowest_per_byte: float = 0.0
    slowest_number: int = -1
    largest: float = 0.0
    largest_per_byte: float = 0.0
    largest_number: int = -1


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=500_000)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="where progress is kept")
    options.add_argument("--reader", help="only those whose name begins so")
    options.add_argument("--number", type=int, help="try this input alone, and show its traceback")
    options.add_argument("--table", type=Path, help="file with the markers between which the table goes")
    given = options.parse_args()
    readers = [reader for reader in READERS if reader.name.startswith(given.reader or "")]
    torch.set_num_threads(1)
    if given.number is not None:
        try_one(readers[0], given.number, given.folder)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    whole = sum(reader.share for reader in READERS)
    pieces = [(reader.name, round(given.inputs * reader.share / whole), given.folder) for reader in readers]
    with multiprocessing.get_context("fork").Pool(given.jobs, maxtasksperchild=1) as pool:
        for name, tally in pool.imap_unordered(_run_reader, pieces):
            print(
                f"{name}: {tally.inputs} inputs, {sum(tally.faults.values())} faults, {tally.seconds:.0f} s"
            )
            for fault, count in sorted(tally.faults.items(), key=lambda item: -item[1])[:12]:
                print(f"    {count} x {fault} (--number {tally.examples[fault]})")
    if given.table is not None:
        write_table(given.table, {reader.name: load(given.folder, reader) for reader in READERS})


def try_one(reader: Reader, number: int, folder: Path) -> None:
    """Read one input and show what it is and what came of it."""
    with tempfile.TemporaryDirectory() as place:
        corpus = Corpus(reader, Path(place))
        case, content = corpus.change(number)
        kept = folder / f"{number}{case.file.suffix}"
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
        print(f"{case.file.relative_to(place)}: {len(content)} bytes, kept as {kept}")
        case.file.write_bytes(content)
        print(repr(reader.read(case.path))[:500])


def load(folder: Path, reader: Reader) -> Tally:
    """The progress of a reader."""
    path = _progress(folder, reader)
    return Tally(**json.loads(path.read_text())) if path.exists() else Tally()


def _progress(folder: Path, reader: Reader) -> Path:
    return folder / f"{slug(reader)}.json"


def save(folder: Path, reader: Reader, tally: Tally) -> None:
    path = _progress(folder, reader)
    path.with_suffix(".partial").write_text(json.dumps(asdict(tally)))
    path.with_suffix(".partial").replace(path)


def _run_reader(piece: tuple[str, int, Path]) -> tuple[str, Tally]:
    name, inputs, folder = piece
    (reader,) = (reader for reader in READERS if reader.name == name)
    with tempfile.TemporaryDirectory() as place:
        for case in reader.write(Path(place)):
            reader.read(case.path)  # or the valid inputs are not valid
    tally = load(folder, reader)
    while tally.inputs < inputs:
        stop = min(inputs, tally.inputs + PIECE)
        _run_piece(reader, stop, tally, folder)
        save(folder, reader, tally)
    return reader.name, tally


def _run_piece(reader: Reader, stop: int, tally: Tally, folder: Path) -> None:
    """Inputs up to a number in a process of their own, which may die."""
    place = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    shared = mmap.mmap(-1, 16)  # the number of the input that is being read, and since when
    log = place / "log"
    try:
        process = os.fork()
        if process == 0:
            try:
                found = folder / "found" / slug(reader)
                _work(reader, range(tally.inputs, stop), place / "files", shared, log, found)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = _wait(process, shared)
        for line in log.read_text().splitlines() if log.exists() else ():
            _count(tally, *json.loads(line))
        if tally.inputs < stop:  # it died at the next input
            _count(tally, tally.inputs, f"process died: {status}", False, 0.0, 0, 1)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _wait(process: int, shared: mmap.mmap) -> str:
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return f"signal {-code}" if code < 0 else f"exit {code}"
        number, since = struct.unpack_from("<qd", shared)
        if number >= 0 and since and time.monotonic() - since > PATIENCE:
            os.kill(process, 9)
            os.waitpid(process, 0)
            return f"more than {PATIENCE:.0f} s"
        time.sleep(0.05)


def _work(reader: Reader, numbers: range, place: Path, shared: mmap.mmap, log: Path, found: Path) -> None:
    """Try inputs, and write a line of JSON for each into a file."""
    struct.pack_into("<qd", shared, 0, -1, 0.0)
    place.mkdir()
    corpus = Corpus(reader, place)
    for case in corpus.cases:  # what is loaded at the first use is no cost of an input
        reader.read(case.path)
    limit = _status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with log.open("w", buffering=1) as file:
        for number in numbers:
            case, content = corpus.change(number)
            Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
            before = _status("VmRSS")
            struct.pack_into("<qd", shared, 0, number, time.monotonic())
            outcome = corpus.try_out(case, content)
            struct.pack_into("<qd", shared, 0, -1, 0.0)
            memory = max(0, _status("VmHWM") - before)
            file.write(json.dumps([number, *outcome, memory, len(content)]) + "\n")
            if outcome.fault:
                found.mkdir(parents=True, exist_ok=True)
                name = case.file.relative_to(place).as_posix().replace("/", "+")
                (found / f"{number}__{name}").write_bytes(content)


def _status(name: str) -> int:
    """Bytes of memory of this process, as Linux counts them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(name)


def _count(
    tally: Tally, number: int, fault: str, refused: bool, seconds: float, memory: int, size: int
) -> None:
    tally.inputs = number + 1
    tally.refused += refused
    tally.seconds += seconds
    if fault:
        tally.faults[fault] = tally.faults.get(fault, 0) + 1
        tally.examples.setdefault(fault, number)
    tally.slowest = max(tally.slowest, seconds)
    tally.largest = max(tally.largest, memory)
    if seconds / max(size, SMALLEST) > tally.slowest_per_byte:
        tally.slowest_per_byte, tally.slowest_number = seconds / max(size, SMALLEST), number
    if memory / max(size, SMALLEST) > tally.largest_per_byte:
        tally.largest_per_byte, tally.largest_number = memory / max(size, SMALLEST), number


def write_table(path: Path, tallies: dict[str, Tally]) -> None:
    """Put the table between its markers."""
    lines = [
        "| reader | inputs | refused | other exceptions, crashes, hangs | non-finite numbers | longest, "
        " µs/byte (ms) | most memory, bytes/byte (MiB) |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    total: Counter[str] = Counter()
    for name, tally in tallies.items():
        odd = sum(count for fault, count in tally.faults.items() if fault.startswith("non-finite"))
        other = sum(tally.faults.values()) - odd
        total.update(inputs=tally.inputs, refused=tally.refused, other=other, odd=odd)
        lines.append(
            f"| {name} | {tally.inputs:,} | {tally.refused:,} | {other} | {odd} | "
            f"{1e6 * tally.slowest_per_byte:.1f} ({1e3 * tally.slowest:.0f}) | "
            f"{tally.largest_per_byte:.0f} ({tally.largest / 2**20:.0f}) |"
        )
    lines.append(
        f"| all | {total['inputs']:,} | {total['refused']:,} | {total['other']} | {total['odd']} | | |"
    )
    text = path.read_text()
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    path.write_text(text[:start] + "\n\n" + "\n".join(lines) + "\n\n" + text[stop:])


if __name__ == "__main__":
    main()
