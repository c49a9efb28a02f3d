"""Writing files whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path, ending: str = "") -> Iterator[Path]:
    """A temporary path beside a file, which becomes the file when the ``with`` block ends.

    If the block fails or is interrupted, nothing is left behind and an old file stays as it was.

    Args:
        path: the file; one that is there is replaced.
        ending: what the temporary name shall end in, for writers that insist on a suffix.

    Raises:
        OSError: it cannot be written; the error names the file and not the temporary one.
    """
    temporary = path.with_name(f".{path.name}.partial{ending}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):
            raise  # of another file
        if error.errno is None:
            raise OSError(f"{path}: {error}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):  # what went wrong before is told, not this
            temporary.unlink(missing_ok=True)
