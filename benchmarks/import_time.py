"""How long ``import spgnet`` and the help of the command line take: ``python benchmarks/import_time.py``.

Prints the median seconds of several fresh interpreters, less the start of an interpreter that does nothing.
"""

import subprocess
import sys
import time
from statistics import median

RUNS = 9
STATEMENTS = {
    "import spgnet": "import spgnet",
    "spgnet --help": "import sys; sys.argv = ['spgnet', '--help']; import spgnet.cli; spgnet.cli.main()",
    "spgnet lift --help": (
        "import sys; sys.argv = ['spgnet', 'lift', '--help']; import spgnet.cli; spgnet.cli.main()"
    ),
    "spgnet.lift": "import spgnet; spgnet.lift",
}


def seconds(statement: str) -> float:
    """Median wall-clock time of an interpreter that runs a statement."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return median(times)


if __name__ == "__main__":
    interpreter = seconds("")
    print(f"{'an interpreter that does nothing':34} {interpreter:6.3f} s")
    for name, statement in STATEMENTS.items():
        print(f"{name:34} {seconds(statement) - interpreter:6.3f} s more")
