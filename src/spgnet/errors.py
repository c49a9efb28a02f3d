"""The package's own exceptions: what a user got wrong, told apart from what we got wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SpgnetError(Exception):
    """Base of the exceptions that this package raises on purpose."""


class InputError(SpgnetError, ValueError):
    """Something that the user gave cannot be used: a file, an option, an argument, a missing library.

    The message is one line for the user: it names the file or argument, the fault, and what was expected.
    The command line prints it without a traceback; any other exception is a fault of the package, and
    shows one.
    """


@contextmanager
def prefix_errors(path: Path | str) -> Iterator[None]:
    """Put the name of a file before the message of an :class:`InputError` from the ``with`` block."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
