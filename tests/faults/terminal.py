"""Processes in terminal sessions of their own, as a user starts them: Ctrl-C reaches the whole session."""

from __future__ import annotations

import gc
import os
import pty
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Literal

Signal = Literal["SIGKILL", "SIGTERM", "SIGINT"]
CTRL_C = b"\x03"


class Session:
    """A function in a forked process that leads a session with a terminal.

    Args:
        run: the function, which may never return.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self.text, self.code = "", None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            _end_process(run)

    def poll(self, seconds: float = 0.0) -> bool:
        """Read what the process prints, for so long; whether it still runs."""
        if self.code is not None:
            return False
        end = time.monotonic() + seconds
        while True:
            self._read(max(0.0, end - time.monotonic()))
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                self._read(0.0)
                os.close(self._terminal)
                return False
            if time.monotonic() >= end:
                return True

    def _read(self, seconds: float) -> None:
        if select.select([self._terminal], [], [], min(seconds, 0.01))[0]:
            try:
                self.text += os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:  # the last process of the session is gone
                time.sleep(min(seconds, 0.001))

    def send(self, number: Signal) -> None:
        """Send a signal to the process, or press Ctrl-C in its terminal."""
        if self.code is None:
            if number == "SIGINT":
                os.write(self._terminal, CTRL_C)
            else:
                os.kill(self.pid, getattr(signal, number))

    def wait(self, seconds: float = 120.0) -> int:
        """The exit status; negative for a signal.

        Raises:
            TimeoutError: the process does not end; it is killed.
        """
        if self.poll(seconds):
            os.kill(self.pid, signal.SIGKILL)
            self.poll(5.0)
            raise TimeoutError(f"no end after {seconds} s; it printed: {self.text[-2000:]}")
        assert self.code is not None
        return self.code


def _end_process(run: Callable[[], None]) -> None:
    """Run a function and end the process as the interpreter would."""
    code = 0
    gc.freeze()  # what the parent left to be collected may wait for threads, which a fork does not have
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        code = 1
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
