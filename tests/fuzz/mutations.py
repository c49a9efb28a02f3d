"""Random changes of a file's bytes, of its words and lines, and of what is in it: JSON, arrays, headers."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import numpy as np

WORDS = (
    *(
        "",
        "0",
        "-1",
        "1",
        "2",
        "3",
        "1.5",
        "-0.0",
        "1e308",
        "1e309",
        "-1e309",
        "1e39",
        "5e-324",
        "NaN",
        "nan",
    ),
    *("inf", "-Infinity", "null", "None", "true", "2147483648", "4294967296", "9007199254740993", "1e15"),
    *("1" * 25, "9" * 400, "9" * 5000, "0x10", "1_000", "0.1.2", "x", "é", "\u0661", "\ud800", "\0", "  "),
    *("[", "]", "{", "}", '"', "'", ":", ",", "\n", "\r", "\t", "#", "-", "---", "&a", "*a", "!!x", "|", ">"),
    *("<a>", "</a>", "<!DOCTYPE a>", "&lt;", "=", "[[a]]", "%YAML", "frame", "MOTION", "begin", "end"),
)
VALUES: tuple[Callable[[], Any], ...] = (
    *(lambda value=value: value for value in (None, True, False, 0, 1, -1, 2, 3, 7, 17, 100, 1.5, -0.5)),
    *(lambda value=value: value for value in (1e300, -1e300, 1e39, 5e-324, 2**31, 2**53 + 1, 2**63, 1e15)),
    *(
        lambda value=value: value
        for value in (float("nan"), float("inf"), -float("inf"), "", "x", "17", "NaN")
    ),
    *(lambda value=value: value for value in ("é" * 10, "\ud800", "\0", "a\nb", "1" * 400, "x" * 1000)),
    lambda: int("9" * 400),
    list,
    dict,
    lambda: [0, 0],
    lambda: [1.0, 2.0, 3.0],
    lambda: [[]] * 5,
    lambda: [None] * 17,
    lambda: {"x": 1.0, "y": 2.0},
    lambda: {"a": {"b": [1]}},
    lambda: [0.5] * 51,
    lambda: _nested(40),
    lambda: _nested(900),
)
_RUNS = (
    " ",
    "\n",
    "\r\n",
    "\t",
    "#",
    "# ",
    "0",
    "1,",
    "1 ",
    "[",
    "{",
    "(",
    '"',
    "'",
    ":",
    ",",
    ";",
    "a",
    "-",
)
_RUNS += (
    "a:\n",
    "- ",
    "\n#",
    " \n",
    "# a",
    "<a>",
    "x=",
    "[]",
    "{}",
    "0\n",
    "\\",
    "&",
    "é",
    "\0",
    '"a"',
    "a=1\n",
)
INTEGERS = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
)
LONGEST_RUN = 200_000
"""Bytes by which a change makes a file longer at most."""


def mutate(content: bytes, suffix: str, random: Random) -> bytes:
    """A changed copy of a file: one to four changes, of its bytes, or of what a file of its kind holds."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        if len(content) < LONGEST_RUN:
            content = _mutate_once(content, suffix, random)
    return content


def _mutate_once(content: bytes, suffix: str, random: Random) -> bytes:
    known = _STRUCTURED.get(suffix, ())
    if known and random.random() < 0.7:
        with suppress(Exception), warnings.catch_warnings():  # of what an earlier change has broken
            warnings.simplefilter("ignore")
            return random.choice(known)(content, random)
    return mutate_bytes(content, random)


def mutate_bytes(content: bytes, random: Random) -> bytes:
    """Changed, lost, repeated and foreign bytes, anywhere; sometimes a long run of one thing."""
    data, kind = bytearray(content), random.randrange(11)
    at = random.randrange(len(data) + 1)
    if random.random() < 0.3:  # headers are at the beginning and at the end
        at = min(len(data), random.randrange(64)) if random.random() < 0.7 else max(0, len(data) - at % 64)
    to = min(len(data), at + random.choice((1, 1, 2, 4, 8, 16, random.randrange(1, 200))))
    if kind == 0 and at < len(data):
        data[at] ^= 1 << random.randrange(8)
    elif kind == 1 and at < len(data):
        data[at] = random.randrange(256)
    elif kind == 2:
        del data[at:to]
    elif kind == 3:
        data[at:at] = random.randbytes(random.choice((1, 2, 8, 50)))
    elif kind == 4:
        data[at:at] = data[at:to] * random.choice((1, 1, 2, 10))
    elif kind == 5:
        return bytes(data[:at]) if random.random() < 0.7 else bytes(data[at:])
    elif kind == 6:
        for _ in range(random.choice((2, 8, 40))):
            if data:
                data[random.randrange(len(data))] = random.randrange(256)
    elif kind == 7:
        code = random.choice(("<H", ">H", "<I", ">I", "<Q", ">Q", "<i", "<d"))
        value = random.choice(INTEGERS)
        raw = struct.pack(
            code, float(value) if code == "<d" else value % 2 ** (8 * struct.calcsize(code) - 1)
        )
        data[at : at + len(raw)] = raw
    elif kind == 8:
        data[at:to] = random.choice(WORDS).encode("utf-8", "surrogatepass")
    elif kind == 9 and random.random() < 0.15:
        return data[:at] + _run(random) + data[at:]
    else:
        end = random.randrange(len(data) + 1)
        at, end = min(at, end), max(at, end)
        piece = data[at : min(end, at + 500)]
        place = random.randrange(len(data) + 1)
        data[place : place + (len(piece) if random.random() < 0.5 else 0)] = piece
    return bytes(data)


def mutate_text(content: bytes, random: Random) -> bytes:
    """Changed numbers, words and lines; sometimes a long run of one thing."""
    text = content.decode("utf-8", "surrogateescape")
    kind = random.randrange(8)
    if kind < 4:
        found = list(re.finditer(r"-?[0-9][0-9.eE+-]*|\w+" if kind < 3 else r"\W", text))
        for match in random.sample(found, min(len(found), random.choice((1, 1, 1, 2, 5)))):
            start, stop = match.span()
            text = text[:start] + random.choice(WORDS) + text[stop:]
            break
    elif kind == 4:
        at = random.randrange(len(text) + 1)
        run = _run(random).decode() if random.random() < 0.1 else random.choice(WORDS)
        text = text[:at] + run + text[at:]
    else:
        lines = text.split("\n")
        at, other = random.randrange(len(lines)), random.randrange(len(lines))
        if kind == 5:
            del lines[at : at + random.choice((1, 1, 2, 10))]
        elif kind == 6:
            lines[other:other] = lines[at : at + 1] * min(
                random.choice((1, 1, 3, 200)), LONGEST_RUN // (1 + len(lines[at]))
            )
        else:
            lines[at], lines[other] = lines[other], lines[at]
        text = "\n".join(lines)
    return _encoded(text)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _run(random: Random) -> bytes:
    """One thing many times."""
    piece = random.choice(_RUNS)
    return (piece * (random.choice((50, 1000, 5000, LONGEST_RUN)) // len(piece))).encode()[:LONGEST_RUN]


def mutate_json(content: bytes, random: Random) -> bytes:
    """JSON with another value somewhere, a lost, foreign or repeated entry, or repeated parts."""
    try:
        value = json.loads(content)
    except ValueError:  # JSON Lines
        return mutate_text(content, random)
    return json.dumps(_mutated_value(value, random)).encode()


def _mutated_value(value: Any, random: Random) -> Any:
    root = [value]
    holder, key = random.choice(_places(root, random))
    old = holder[key]
    kind = random.randrange(10)
    if kind < 5 or not isinstance(old, list | dict) or not old:
        holder[key] = random.choice(VALUES)()
    elif isinstance(old, dict):
        name = random.choice(list(old))
        if kind < 7:
            del old[name]
        elif kind == 7:
            old[random.choice(("x", "people", "keypoints", "fps", "", "image_id", "scores", *old))] = old[
                name
            ]
        else:
            old[random.choice(WORDS)] = random.choice(VALUES)()
    elif kind == 5:
        del old[random.randrange(len(old)) :]
    elif kind == 6:
        del old[random.randrange(len(old))]
    elif kind == 7:
        old += old[: random.choice((1, 2, len(old)))] * random.choice((1, 1, 2, 50))
    elif kind == 8:
        old.append(random.choice(VALUES)())
    else:
        random.shuffle(old)
    return root[0]


def _places(root: list, random: Random) -> list[tuple[Any, Any]]:
    """Some of the places in nested lists and dictionaries, on every level as many."""
    levels: list[list[tuple[Any, Any]]] = [[(root, 0)]]
    while len(levels) < 12:
        held = [holder[key] for holder, key in random.sample(levels[-1], min(len(levels[-1]), 20))]
        below: list[tuple[Any, Any]] = []
        for value in held:
            if isinstance(value, dict):
                below += [(value, key) for key in value]
            elif isinstance(value, list):
                below += [(value, index) for index in range(len(value))]
        if not below:
            break
        levels.append(below)
    return random.choice(levels)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def mutate_npy(content: bytes, random: Random) -> bytes:
    """An ``.npy`` file with another header, other numbers, another type or shape."""
    kind = random.randrange(4)
    if kind == 0:
        start = content.index(b"{")
        stop = content.index(b"\n", start)
        header = _mutated_header(content[start:stop].decode("latin1"), random).encode("latin1", "replace")
        header = header.ljust(stop - start)
        size = struct.pack("<H", min(65535, len(header) + 1)) if random.random() < 0.9 else content[8:10]
        return content[:8] + size + header + content[stop:]
    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if array.size > 2**20:  # of no bytes each
        return content
    if kind == 1 and array.size:
        array = array.copy()
        flat = array.reshape(-1)
        places = [random.randrange(array.size) for _ in range(random.choice((1, 1, 3, array.size)))]
        value = random.choice(
            (0, 1, -1, 2, np.nan, np.inf, -np.inf, 1e300, 1e39, 1e-320, 2**31, 2**62, 1e15, 255)
        )
        if array.dtype.kind in "US":
            flat[places] = random.choice(("", "x", "é", "nan", "1"))
        else:
            with np.errstate(all="ignore"):
                flat[places] = np.array(value).astype(array.dtype)
    elif kind == 2 and array.dtype.kind not in "US":  # NumPy may crash on damaged text
        code = random.choice(
            ("f8", "f4", "f2", ">f8", "i8", "i1", "u8", "u1", "?", "U5", "S3", "c8", "M8[s]", "f4")
        )
        with np.errstate(all="ignore"):
            array = array.astype(code)
    else:
        shapes = [(), (0,), (1,), array.shape[1:], (*array.shape, 1), (1, *array.shape), array.shape[::-1]]
        shape = random.choice([*shapes, (2, *array.shape[1:]), (*array.shape[:-1], 5)])
        if math.prod(shape) <= 2**20:  # an empty array may have an immense shape
            array = np.resize(array, shape)
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def _mutated_header(header: str, random: Random) -> str:
    changes = (
        (r"'shape': \([^)]*\)", "'shape': (1000000000, 1000)"),
        (r"'shape': \([^)]*\)", "'shape': (-1,)"),
        (r"'shape': \([^)]*\)", "'shape': (-4, 17, 3)"),
        (r"'shape': \([^)]*\)", f"'shape': ({'9' * 400},)"),
        (r"'shape': \([^)]*\)", "'shape': (0, 1000000000000)"),
        (r"'shape': \([^)]*\)", f"'shape': ({'1, ' * 70})"),
        (r"'shape': \([^)]*\)", "'shape': 5"),
        (r"'shape': \([^)]*\)", "'shape': (2.5,)"),
        (r"'shape': \([^)]*\)", "'shape': (True, 3)"),
        (r"'descr': '[^']*'", "'descr': '|O'"),
        (r"'descr': '[^']*'", "'descr': '|V0'"),
        (r"'descr': '[^']*'", "'descr': '<U0'"),
        (r"'descr': '[^']*'", "'descr': '<f16'"),
        (r"'descr': '[^']*'", "'descr': '<U1000000000'"),
        (r"'descr': '[^']*'", "'descr': [('a', '<f8')]"),
        (r"'descr': '[^']*'", "'descr': ''"),
        (r"'descr': '[^']*'", "'descr': None"),
        (r"False", "True"),
        (r"False", "2"),
        (r"\{", "{" * 90),
        (r"\{", "(" * 250),
        (r"\{", "-" * 200 + "{"),
    )
    if random.random() < 0.7:
        old, new = random.choice(changes)
        return re.sub(old, lambda _: new, header, count=1)
    return mutate_text(header.encode(), random).decode("latin1")


def mutate_zip(content: bytes, random: Random) -> bytes:
    """A zip archive with a changed, lost, repeated or renamed member, sound in itself."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at, kind = random.randrange(len(members)), random.randrange(10)
    name, raw = members[at]
    if kind < 7:
        change = mutate_npy if name.endswith(".npy") and b"|O" not in raw[:128] else mutate_bytes
        members[at] = name, change(raw, random) if random.random() < 0.8 else mutate_bytes(raw, random)
    elif kind == 7:
        del members[at]
    elif kind == 8:
        members[at] = random.choice((*(name for name, _ in members), "x.npy", "", "a/b.npy", "x")), raw
    else:
        members.append((random.choice(("x.npy", name, "scores.npy")), random.choice(members)[1]))
    file, compression = io.BytesIO(), random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, raw in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), raw)
    return file.getvalue()


def mutate_safetensors(content: bytes, random: Random) -> bytes:
    """A safetensors file with another header, or another description of its network."""
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    data = content[8 + length :]
    kind = random.randrange(6)
    if kind < 3 and "__metadata__" in header:
        key = random.choice(list(header["__metadata__"]))
        described = _mutated_value(json.loads(header["__metadata__"][key]), random)
        header["__metadata__"][key] = json.dumps(described)
    elif kind == 3:
        header = _mutated_value(header, random)
    elif kind == 4:
        data = data[:-4] + struct.pack("<f", random.choice((np.nan, np.inf, -1e38, 0)))
        return content[: 8 + length] + data
    else:
        name = random.choice([key for key in header if key != "__metadata__"])
        entry = header[name]
        entry["dtype"] = random.choice(("F64", "F16", "BF16", "I64", "U8", "BOOL", "F32", "F8_E4M3"))
        entry["shape"] = random.choice(([], [0], [2**40], [-1], entry["shape"][::-1], [1, *entry["shape"]]))
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if random.random() < 0.95 else random.choice(INTEGERS)) + raw + data


def mutate_gzip(content: bytes, random: Random) -> bytes:
    """A compressed file with changes in what is compressed."""
    return gzip.compress(mutate_bytes(gzip.decompress(content), random), 1, mtime=0)


def mutate_utf16(content: bytes, random: Random) -> bytes:
    """The same text in another encoding."""
    return content.decode("utf-8").encode(
        random.choice(("utf-16", "utf-8-sig", "utf-16-be", "cp1252")), "replace"
    )


_TEXT = (mutate_text, mutate_text, mutate_text, mutate_text, mutate_utf16)
_STRUCTURED: dict[str, Sequence[Callable[[bytes, Random], bytes]]] = {
    **dict.fromkeys((".json", ".jsonl"), (mutate_json, mutate_json, mutate_json, mutate_text, mutate_text)),
    **dict.fromkeys((".csv", ".txt", ".yaml", ".yml", ".xml", ".toml", ".bvh", ".asf", ".amc"), _TEXT),
    ".npz": (mutate_zip,),
    ".npy": (mutate_npy,),
    ".pth": (mutate_zip,),
    ".safetensors": (mutate_safetensors,),
    ".tgz": (mutate_gzip,),
}
