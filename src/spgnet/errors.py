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
def prefix_errors(path: Path | str, *, longest: int | None = None) -> Iterator[None]:
    """Put the name of a file before the message of an :class:`InputError` from the ``with`` block.

    Args:
        path: the file.
        longest: characters of the message without the path, beyond which it is cut off.
    """
    try:
        yield
    except InputError as error:
        message = str(error)
        if longest is not None:
            message = " ".join(message.split())
            message = message if len(message) <= longest else message[: longest - 3] + "..."
        raise InputError(f"{path}: {message}") from None
