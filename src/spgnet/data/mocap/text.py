"""Text files of motion capture, line by line."""

from __future__ import annotations

from pathlib import Path


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their ends.

    Raises:
        ValueError: the file cannot be read or holds no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    if b"\0" in data:
        raise ValueError(f"{path}: not a text file")
    # Names may be in any of the old encodings; only ASCII has a meaning here.
    return data.decode("utf-8-sig", errors="replace").splitlines()
