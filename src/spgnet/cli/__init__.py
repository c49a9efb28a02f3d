"""The command line: ``spgnet lift | export | view | app | demo | train | evaluate | reproduce | data``."""

from __future__ import annotations

import _thread
import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import spgnet
from spgnet.errors import InputError


def main() -> None:
    """Entry point of the ``spgnet`` command: :func:`run_command`, after which Ctrl-C ends the process.

    Otherwise, while the interpreter comes to its end, Ctrl-C would print tracebacks of its internals.
    Characters that a terminal or a log file does not know are printed as escapes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        run_command()
    finally:
        if _may_set_handlers() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_command() -> None:
    """Run the command that the arguments of this process say.

    Arguments that cannot be parsed end it with tyro's message and exit status 2. Other input that cannot be
    used, files that cannot be read or written, Ctrl-C and SIGTERM end it with one line on standard error and
    status 1. With ``--debug`` among the arguments, the traceback of either is shown. Any other exception is a
    fault of this package and always shows its traceback.
    """
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        if arguments == ["--version"]:
            print(f"spgnet {spgnet.__version__}")
            return
        with _interruptible():
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
def _interruptible() -> Iterator[None]:
    """Within it SIGTERM ends what is done as Ctrl-C does, so that temporary files are removed, and an
    interrupt is never lost.

    Python calls finalizers at any moment, prints what they raise, and goes on: an interrupt that comes while
    one runs is repeated after it.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def repeat_interrupt(ignored: sys.UnraisableHookArgs) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(interrupt_soon, ())  # threading's locks may be held here
        else:
            previous_hook(ignored)

    def interrupt_soon() -> None:
        if not ended.wait(0.01):
            _thread.interrupt_main(signal.SIGTERM)

    if not _may_set_handlers():
        yield
        return
    ended = threading.Event()
    previous, previous_hook = signal.signal(signal.SIGTERM, interrupt), sys.unraisablehook
    sys.unraisablehook = repeat_interrupt
    try:
        yield
    finally:
        ended.set()
        sys.unraisablehook = previous_hook
        signal.signal(signal.SIGTERM, previous)


def _may_set_handlers() -> bool:
    """Whether this is the main thread, which alone may set the handlers of signals."""
    return threading.current_thread() is threading.main_thread()


def _first_cause(error: BaseException) -> BaseException:
    """The exception that others were raised in the handling of: why tyro refused a value."""
    while error.__context__ is not None:
        error = error.__context__
    return error
