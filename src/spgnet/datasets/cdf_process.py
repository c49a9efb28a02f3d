"""The process in which :mod:`spgnet.datasets.cdf` reads CDF files.

For every line on its standard input, ``{"file", "variable", "array", "seconds", "bytes"}`` as JSON, it writes
the variable as an ``.npy`` file and answers with a line of JSON: ``{}``, or ``{"error": "..."}``. The system
ends it when a file takes more of the processor's time than that (where systems can).
"""

import json
import sys
from pathlib import Path

import cdflib
import numpy as np

from spgnet.limits import limit_process


def read_variable(request: dict) -> None:
    """Write a variable of a CDF file as an array."""
    values = np.asarray(cdflib.CDF(Path(request["file"])).varget(request["variable"]))
    if values.dtype.hasobject:
        raise ValueError(f"{request['variable']} holds no numbers")
    np.save(request["array"], values)


def main() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        limit_process(request["seconds"], request["bytes"])
        try:
            read_variable(request)
            answer = {}
        except Exception as error:  # cdflib documents no exceptions of its own
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
