"""The process in which :mod:`spgnet.hdf5` reads a file for the first time: ``FILE SECONDS BYTES``.

The system ends it when the file takes more of the processor's time than that. It ends with
:data:`OUT_OF_MEMORY` if the file takes more memory, and else with 0, whatever is wrong with the file.
"""

import sys
from typing import Any

from spgnet.limits import limit_process, unpacked_limit

OUT_OF_MEMORY = 3


def main(path: str, seconds: str, size: str) -> int:
    """Read everything in a file."""
    import h5py

    def read(_: str, node: Any) -> None:
        list(node.attrs.items())
        if isinstance(node, h5py.Dataset):
            limit = unpacked_limit(node.id.get_storage_size())
            if node.size * node.dtype.itemsize <= limit:
                node[()]

    limit_process(float(seconds), int(size))
    try:
        with h5py.File(path, "r") as file:
            file.visititems(read)
    except Exception as error:
        # HDF5 tells a lack of memory in words of its own, such as "memory allocation failed for chunk".
        return OUT_OF_MEMORY if isinstance(error, MemoryError) or "alloc" in str(error) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
