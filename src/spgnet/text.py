"""Text and JSON of files that people give: any usual encoding, and limits on what JSON may hold."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.errors import InputError, one_line
from spgnet.limits import DEEPEST, LARGEST_TEXT, LONGEST_NUMBER, check_file_size


def read_text(path: Path, prefix: str = "", *, largest: int = LARGEST_TEXT) -> str:
    """The text of a file in UTF-8 or UTF-16, or of a table in a spreadsheet's own encoding.

    Args:
        path: the file.
        prefix: put before the message of an error.
        largest: bytes that it may have; :func:`spgnet.limits.check_file_size`.

    Raises:
        InputError: it is no text, or too large.
        OSError: it cannot be read.
    """
    check_file_size(path, largest)
    content = path.read_bytes()
    encodings = ["utf-8-sig"]
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    elif b"\0" in content[:4]:
        encodings = ["utf-16-le" if content[1:2] == b"\0" else "utf-16-be"]
    elif path.suffix.lower() in (".csv", ".tsv", ".txt") and b"\0" not in content:
        encodings.append("cp1252")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{prefix}not a text file: expected UTF-8")


def parse_json(path: Path, prefix: str = "") -> Any:
    """The value in a JSON file: :func:`parse_json_text`.

    Raises:
        InputError: it is no text, or as :func:`parse_json_text` raises.
        OSError: it cannot be read.
    """
    return parse_json_text(read_text(path, prefix), prefix)


def parse_json_text(text: str, prefix: str = "") -> Any:
    """The value in JSON, or the list of the values in JSON Lines.

    Args:
        text: JSON.
        prefix: put before the message of an error.

    Raises:
        InputError: it is not JSON, nested deeper than :data:`spgnet.limits.DEEPEST`, or has numbers of
            more than :data:`spgnet.limits.LONGEST_NUMBER` digits.
    """
    if is_deep(text):
        raise InputError(f"{prefix}nested more than {DEEPEST} levels deep")
    try:
        return _decode(text)
    except InputError as error:
        raise InputError(f"{prefix}{error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{prefix}not JSON, or truncated ({one_line(error)})") from None


def _decode(text: str) -> Any:
    """The value of JSON, or the list of the values of JSON Lines."""
    try:
        return json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        lines = [line for line in text.splitlines() if line.strip()]
        first = json.loads(lines[0], parse_int=_whole)  # raises if the value goes over several lines
        return [first, *(json.loads(line, parse_int=_whole) for line in lines[1:])]


def parse_toml_text(text: str) -> dict[str, Any]:
    """The entries of TOML.

    Raises:
        InputError: it is not TOML, or nested deeper than :data:`spgnet.limits.DEEPEST`.
    """
    if is_deep(text):
        raise InputError(f"not readable TOML (more than {DEEPEST} levels are not supported)")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not readable TOML{place_of(error)}") from None


def place_of(error: Exception) -> str:
    """Where a parser stopped, with a comma before it; empty if it does not say."""
    found = re.findall(r"line (\d+), column (\d+)", str(error))
    return f", from line {found[-1][0]}, column {found[-1][1]} on" if found else ""


def is_deep(text: str) -> bool:
    """Whether brackets are nested deeper than :data:`spgnet.limits.DEEPEST`; those in double quotes do not
    count."""
    codes = np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8)
    if _depth(codes) <= DEEPEST:
        return False
    quotes = codes == ord('"')
    escaped = np.zeros(len(codes), dtype=bool)
    escaped[1:] = codes[:-1] == ord("\\")
    inside = np.cumsum(quotes & ~escaped) % 2 == 1
    return _depth(np.where(inside, 0, codes)) > DEEPEST


def _depth(codes: np.ndarray) -> int:
    opened = np.isin(codes, (ord("["), ord("{"))).astype(np.int8)
    closed = np.isin(codes, (ord("]"), ord("}"))).astype(np.int8)
    return int(np.cumsum(opened - closed, dtype=np.int32).max(initial=0))


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise InputError(f"a number of {len(digits)} digits")
    return int(digits)
