"""Limits on the files that are read: memory and time in proportion to the file, whatever is in it.

Sizes are multiplied by the number in the environment variable :data:`FACTOR`, for files that are larger than
any that the limits were made for (docs/trust.md).
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from spgnet.errors import InputError

FACTOR = "SPGNET_LIMIT_FACTOR"
"""The environment variable with the factor of the limits on sizes, 1 or more."""

LARGEST_TEXT = 2**30
"""Bytes of a text file: several hours of keypoints of the whole body as JSON."""
LARGEST_UPLOAD, LONGEST_UPLOAD = 2**31, 600.0
"""Bytes and seconds of a file that is dropped into the app."""
LARGEST_SETTINGS = 10_000_000
"""Bytes of a text file that holds a camera, a configuration or choices."""
ALWAYS_UNPACKED, MOST_EXPANSION, LARGEST_ARRAYS = 2**26, 64, 2**32
"""Bytes that are read from any file of arrays, how many times as many as the file has, and the most from one
file."""
MOST_OBJECTS = 1_000_000
"""Objects in a pickle of arrays; Human3.6M's largest archive has some thousand."""
DEEPEST = 32
"""How deep JSON, TOML, YAML and XML may be nested; the files that are read have at most eight levels."""
LONGEST_NUMBER = 100
"""Digits of a number in JSON and YAML."""
PROCESS_SECONDS, PROCESS_RATE = 2.0, 2**20
"""Seconds of the processor for a process that reads any file, and the bytes of a file for each further one: a
hundred times what files need."""
PROCESS_MEMORY = 2**29
"""Bytes that such a process takes without a file."""
PROCESS_PATIENCE = 60.0
"""Factor of these seconds to wait by the clock, for systems that are busy or do not limit processor time."""
SLOWEST, FASTEST = 0.01, 100_000.0
"""Frame rates between which lifting takes memory and time in proportion to the frames of a clip."""


def limit_factor() -> float:
    """By how much the user raises the limits.

    Raises:
        InputError: the environment variable is not a number of 1 or more.
    """
    text = os.environ.get(FACTOR, "1")
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 1 <= factor < math.inf:
        raise InputError(
            f"the environment variable {FACTOR} is {text[:40]!r}, expected a number of 1 or more"
        )
    return factor


def unpacked_limit(stored: int) -> int:
    """Bytes of arrays that may come out of a file, or a part of it, with as many bytes.

    Compressed zeros expand to a thousand times their size; recordings hardly to ten times.
    """
    return int(limit_factor() * min(LARGEST_ARRAYS, max(ALWAYS_UNPACKED, MOST_EXPANSION * stored)))


def check_unpacked_size(size: int, stored: int) -> None:
    """Refuse arrays that are larger than may come out of a file with so many bytes.

    Raises:
        InputError: they are. The message does not name the file.
    """
    limit = unpacked_limit(stored)
    if size > limit:
        raise InputError(
            f"its arrays have {_mebibytes(size)} MiB, expected at most {_mebibytes(limit)} of such a file "
            f"({FACTOR}, an environment variable, raises the limit)"
        )


def check_file_size(path: Path, largest: int = LARGEST_TEXT) -> None:
    """Refuse a file that is larger than any of its kind, by default than a text file; and pipes and devices,
    which may never end.

    Args:
        path: the file.
        largest: bytes that are allowed.

    Raises:
        InputError: it is larger, or no file on a disk. The message does not name the file.
        OSError: it cannot be read.
    """
    if not path.is_file() and path.exists():
        raise InputError("a folder, a pipe or a device, expected a file")
    size, limit = path.stat().st_size, int(limit_factor() * largest)
    if size > limit:
        raise InputError(
            f"it has {_mebibytes(size)} MiB, expected at most {_mebibytes(limit)} of such a file "
            f"({FACTOR}, an environment variable, raises the limit)"
        )


def check_duration(seconds: float, longest: float) -> None:
    """Refuse a clip that is longer than allowed.

    Raises:
        InputError: it is. The message does not name the file.
    """
    limit = limit_factor() * longest
    if seconds > limit:
        raise InputError(
            f"it is {seconds / 60:.1f} minutes long, expected at most {limit / 60:.4g} "
            f"({FACTOR}, an environment variable, raises the limit)"
        )


def process_limits(stored: int) -> tuple[float, int]:
    """Seconds of the processor and bytes of memory for a process that reads a file with so many bytes."""
    seconds = limit_factor() * (PROCESS_SECONDS + stored / PROCESS_RATE)
    return seconds, PROCESS_MEMORY + 4 * unpacked_limit(stored)


def limit_process(seconds: float, size: int) -> None:
    """Limit the processor's time and the memory of this process from now on, where the system can.

    Args:
        seconds: of the processor's time. The system ends the process when it has taken more.
        size: bytes of memory. More cannot be claimed.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + 1
    for kind, value in ((resource.RLIMIT_CPU, most), (resource.RLIMIT_DATA, size)):
        _, highest = resource.getrlimit(kind)
        if highest == resource.RLIM_INFINITY or value < highest:
            resource.setrlimit(kind, (value, highest))


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.4g}" if size < 2**60 else "very many"
