"""The command line: ``spgnet lift | export | view | app | demo | train | evaluate | reproduce | data``."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import spgnet
from spgnet.errors import InputError


def main() -> None:
    """Entry point of the ``spgnet`` command.

    Arguments that cannot be parsed end it with tyro's message and exit status 2. Other input that cannot be
    used, files that cannot be read or written, Ctrl-C and SIGTERM end it with one line on standard error and
    status 1. With
    ``--debug`` among the arguments, the traceback of either is shown. Any other exception is a fault of this
    package and always shows its traceback.
    """
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        if arguments == ["--version"]:
            print(f"spgnet {spgnet.__version__}")
            return
        with _sigterm_interrupts():
            from spgnet.cli.commands import (
                parse,  # imported here so that Ctrl-C ends the imports with one line, too
            )

            parse(arguments)()
    except (InputError, OSError) as error:
        if debug:
            raise
        raise SystemExit(f"spgnet: {' '.join(str(error).split())}") from None
    except SystemExit as end:
        if debug and end.code == 2 and (refusal := _first_cause(end)) is not end:
            raise refusal from None
        raise
    except KeyboardInterrupt:
        raise SystemExit("spgnet: interrupted") from None


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Within it SIGTERM ends what is done as Ctrl-C does, so that temporary files are removed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # no other thread may set handlers
        yield
        return
    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _first_cause(error: BaseException) -> BaseException:
    """The exception that others were raised in the handling of: why tyro refused a value."""
    while error.__context__ is not None:
        error = error.__context__
    return error
