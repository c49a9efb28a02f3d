"""What a process is doing, in a file that outlives it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    """The beginning of an activity: seconds of the system's clock, and its name."""

    time: float
    what: str


class Marks:
    """Activities of a process, a line each, that can be read while it runs and after it was killed.

    Args:
        path: the file; it is begun if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._inside = path, ["start"]
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def begin(self, what: str) -> None:
        """Note that an activity begins, and the former one ends."""
        os.write(self._file, f"{time.monotonic()} {what}\n".encode())

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Note an activity, and at its end, unless it fails, that what was done before goes on."""
        self._inside.append(what)
        self.begin(what)
        try:
            yield
        finally:
            self._inside.pop()
        self.begin(self._inside[-1])


def read_marks(path: Path) -> list[Mark]:
    """The activities of a process so far."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    return [Mark(float(time), what) for time, what in (line.split(" ", 1) for line in lines)]
