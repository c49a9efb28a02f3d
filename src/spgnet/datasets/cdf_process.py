"""The process in which :mod:`spgnet.datasets.cdf` reads CDF files. It imports nothing of the package.

For every line on its standard input, ``{"file", "variable", "array", "seconds", "bytes"}`` as JSON, it writes
the variable as an ``.npy`` file and answers with a line of JSON: ``{}``, or ``{"error": "..."}``. The system
ends it when a file takes more of the processor's time than that (where systems can).
"""

import json
import sys
from pathlib import Path

import cdflib
import numpy as np

try:
    import resource
except ImportError:  # Windows
    resource = None


def read_variable(request: dict) -> None:
    """Write a variable of a CDF file as an array."""
    values = np.asarray(cdflib.CDF(Path(request["file"])).varget(request["variable"]))
    if values.dtype.hasobject:
        raise ValueError(f"{request['variable']} holds no numbers")
    np.save(request["array"], values)


def limit(seconds: float, size: int) -> None:
    """Limit the processor's time and the memory of this process, from now on."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + 1
    for kind, value in ((resource.RLIMIT_CPU, most), (resource.RLIMIT_DATA, size)):
        _, highest = resource.getrlimit(kind)
        if highest == resource.RLIM_INFINITY or value < highest:
            resource.setrlimit(kind, (value, highest))


def main() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        limit(request["seconds"], request["bytes"])
        try:
            read_variable(request)
            answer = {}
        except Exception as error:  # cdflib documents no exceptions of its own
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
