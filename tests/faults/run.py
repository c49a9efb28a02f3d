"""Kill, interrupt, starve and race the commands, and see that nothing is lost: ``make test-faults``.

Each trial disturbs a command, looks at what it left, runs it again, and compares with an undisturbed run.
Signals come at random moments, most of them in the activities that are rare (writing a file), the others
anywhere in the run. Commands run in terminal sessions of their own; they are forks of a process that has
imported the package, and with ``--cold`` new interpreters.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # threads do not survive a fork
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "src")]

import torch  # noqa: E402

from faults.index import package_index  # noqa: E402
from faults.jobs import JOBS  # noqa: E402
from faults.places import PLACES, can_mount  # noqa: E402
from faults.table import PAGE, RESULTS, Row, markdown, merge, show  # noqa: E402
from faults.trials import Laboratory, Outcome  # noqa: E402

SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")


def main() -> int:
    """Try faults, print their table, and with ``--write`` put it into docs/trust.md; 1 if a law is broken."""
    options = _options()
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was begun is ended
    rows, breaches = [], 0
    with tempfile.TemporaryDirectory(prefix="spgnet-faults-", dir=options.folder) as root:
        laboratory = Laboratory(Path(root), cold=options.cold)
        with package_index(laboratory.inputs / "index"):
            for command in options.only:
                for fault in options.faults:
                    row = Row(command + (" (new interpreter)" if options.cold else ""), fault)
                    breaches += _try(laboratory, command, fault, row, options)
                    if row.tried:
                        rows.append(row)
                    if row.tried and options.write:
                        show(merge([row], RESULTS), PAGE)
    print(markdown(rows))
    print(f"{sum(row.tried for row in rows)} faults, {breaches} breaches")
    return 1 if breaches else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS), help="which commands")
    parser.add_argument("--faults", nargs="+", choices=(*SIGNALS, *PLACES), default=[*SIGNALS, *PLACES])
    parser.add_argument("--count", type=int, default=50, help="of each signal on each command")
    parser.add_argument("--places", type=int, default=20, help="of each other fault on each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cold", action="store_true", help="start new interpreters")
    parser.add_argument("--folder", help="where to work; a temporary folder by default")
    parser.add_argument("--write", action="store_true", help="put the table into docs/trust.md")
    return parser.parse_args()


def _try(laboratory: Laboratory, command: str, fault: str, row: Row, options: argparse.Namespace) -> int:
    """Try one fault on one command as often as asked for; how many trials break a law."""
    rng = random.Random(f"{options.seed} {command} {fault}")
    jobs, broken, began = JOBS[command], 0, time.monotonic()
    if fault in PLACES:
        _, commands, needs_mount = PLACES[fault]
        if command not in commands or (needs_mount and not can_mount()):
            return 0
        count = options.places
    else:
        count = options.count
    for number in range(count):
        job = jobs[number % len(jobs)]
        outcome: Outcome = (
            PLACES[fault][0](laboratory, job, rng)
            if fault in PLACES
            else laboratory.interrupt(job, fault, rng)
        )
        row.count(outcome)
        if breaches := outcome.breaches():
            broken += 1
            print(
                f"{command}, {fault}, trial {number}, during {outcome.during}:",
                *breaches,
                sep="\n  ",
                flush=True,
            )
    seconds = time.monotonic() - began
    print(f"{command}, {fault}: {row.tried} tried, {broken} broken, {seconds:.0f} s", flush=True)
    return broken


if __name__ == "__main__":
    raise SystemExit(main())
