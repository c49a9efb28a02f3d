"""A variable of a CDF file, within limits on time and memory.

cdflib follows the offsets and counts of a file wherever they lead: one with wrong bytes can keep it busy for
hours, or claim any memory. So it reads in a process of its own, which the system ends.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.errors import InputError, one_line
from spgnet.files import read_npy
from spgnet.limits import PROCESS_PATIENCE, process_limits


class CdfReader:
    """Reads CDF files in a process, which starts with the first one and ends with the ``with`` block.

    >>> with CdfReader() as reader:  # doctest: +SKIP
    ...     pose = reader.read(path.read_bytes(), "Pose")
    """

    def __init__(self) -> None:
        self._process: _Process | None = None

    def __enter__(self) -> CdfReader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def read(self, content: bytes, variable: str) -> np.ndarray:
        """A variable of a CDF file.

        Args:
            content: the file.
            variable: its name.

        Raises:
            InputError: it is no CDF file, is damaged, has no such variable, or takes longer or more memory
                than its size allows (:mod:`spgnet.limits`). The message does not name a file.
        """
        with tempfile.TemporaryDirectory() as folder:
            file, array = Path(folder) / "a.cdf", Path(folder) / "a.npy"
            file.write_bytes(content)
            seconds, memory = process_limits(len(content))
            request = {
                "file": str(file),
                "variable": variable,
                "array": str(array),
                "seconds": seconds,
                "bytes": memory,
            }
            if self._process is None:
                self._process = _Process()
            answer = self._process.ask(request)
            if not answer:
                self.__exit__()
            error = json.loads(answer or _NO_ANSWER).get("error", "")
            if error:
                message = one_line(ValueError(error.replace(str(file), "it")))
                raise InputError(f"is no readable CDF file with a variable {variable!r} ({message})")
            return read_npy(array)


_NO_ANSWER = '{"error": "its reader was ended, since it took too long or too much memory"}'


class _Process:
    """The process that reads, and its answers."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("cdf_process.py")
        self._running = subprocess.Popen(
            # -P: the folder of the script is no place to import from
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._answers: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._running.stdout is not None
        for line in self._running.stdout:
            self._answers.put(line)
        self._answers.put("")  # it has ended

    def ask(self, request: dict[str, Any]) -> str:
        """The answer to a request; empty if there is none."""
        assert self._running.stdin is not None
        try:
            self._running.stdin.write(json.dumps(request) + "\n")
            self._running.stdin.flush()
            return self._answers.get(timeout=PROCESS_PATIENCE * request["seconds"])
        except (OSError, queue.Empty):
            return ""

    def end(self) -> None:
        """End it."""
        self._running.kill()
        self._running.wait()
        self._listener.join()
        for pipe in (self._running.stdin, self._running.stdout):
            if pipe is not None:
                with suppress(OSError):  # of what it has not read
                    pipe.close()
