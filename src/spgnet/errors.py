"""The package's own exceptions: what a user got wrong, told apart from what we got wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SpgnetError(Exception):
    """Base of the exceptions that this package raises on purpose."""


LONGEST_MESSAGE = 300
"""Characters of a message on a file, without the file's name; the rest is cut off."""


class InputError(SpgnetError, ValueError):
    """Something that the user gave cannot be used: a file, an option, an argument, a missing library.

    The message is one line for the user, of characters that can be printed: it names the file or argument,
    the fault, and what was expected. The command line prints it without a traceback; any other exception is a
    fault of the package, and shows one.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """A text on one line, with escapes for characters that cannot be printed."""
    if text.isprintable():
        return text
    line = " ".join(text.splitlines())
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def one_line(error: Exception, longest: int = 150) -> str:
    """The message of another library's exception on one line; its type if it has none."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


def list_names(names: list[str], most: int = 6) -> str:
    """Names for a message, on one line: the first few, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(printable(name[:40]) for name in names[:most]) + more


@contextmanager
def prefix_errors(path: Path | str, *, longest: int = LONGEST_MESSAGE) -> Iterator[None]:
    """Put the name of a file before the message of an :class:`InputError` from the ``with`` block.

    Args:
        path: the file; a message that begins with it stays as it is.
        longest: characters of the message without the path, beyond which it is cut off.
    """
    try:
        yield
    except InputError as error:
        message = str(error).removeprefix(f"{path}: ")
        message = message if len(message) <= longest else message[: longest - 3] + "..."
        raise InputError(f"{path}: {message}") from None
