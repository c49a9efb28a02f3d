"""One input: a changed file is read, and what came of it is judged."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch

from fuzz.mutations import mutate
from fuzz.readers import Case, Faults, Reader
from spgnet.errors import LONGEST_MESSAGE, InputError
from spgnet.keypoints import Keypoints


def slug(reader: Reader) -> str:
    """The name of a reader for files."""
    return re.sub(r"[^a-zA-Z0-9]+", "_", reader.name)


class Outcome(NamedTuple):
    """What came of an input.

    Args:
        fault: what is wrong with it, of a few words that are the same for the same fault; empty if nothing.
        refused: whether an error of the package was raised.
        seconds: of the processor.
    """

    fault: str
    refused: bool
    seconds: float


class Corpus:
    """The valid inputs of a reader in a folder, in which one file at a time is changed."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader, self.folder = reader, folder
        self.cases = list(reader.write(folder))
        self.contents = [case.file.read_bytes() for case in self.cases]

    def change(self, number: int) -> tuple[Case, bytes]:
        """The valid input and the changed file of a number: always the same."""
        random = Random(f"{self.reader.name}:{number}")
        at = random.randrange(len(self.cases))
        return self.cases[at], mutate(self.contents[at], self.cases[at].file.suffix, random)

    def try_out(self, case: Case, content: bytes) -> Outcome:
        """Read a changed file in place of a valid one."""
        case.file.write_bytes(content)
        start = time.process_time()
        try:
            fault, refused = judge(self.reader, case.path)
        finally:
            seconds = time.process_time() - start
            case.file.write_bytes(self.contents[self.cases.index(case)])
        return Outcome(fault, refused, seconds)


def judge(reader: Reader, path: Path) -> tuple[str, bool]:
    """What is wrong with how a path is read, and whether it was refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = reader.read(path)
            odd = next(_non_finite(result, reader.name), "")
        return (f"non-finite: {odd}" if odd else ""), False
    except InputError as error:
        return _message_fault(str(error), path), True
    except Faults as faults:
        return next(filter(None, (_message_fault(fault, path) for fault in faults.args[0])), ""), True
    except Exception as error:
        frames, ours = [], ""
        trace = error.__traceback__
        while trace is not None:
            frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
            if "spgnet" in trace.tb_frame.f_code.co_filename:
                ours = frames[-1]
            trace = trace.tb_next
        return f"{type(error).__name__} at {ours or frames[-1]}: {str(error)[:80]!r}", False


def _message_fault(message: str, path: Path) -> str:
    short = re.sub(f"^{re.escape(str(path))}[^:]*: ", "", message)  # or of a file in the folder
    short = short.replace(str(path), "").replace(f"{path.parent}/", "")
    if "\n" in message or "\r" in message:
        return f"message of several lines: {short[:60]!r}"
    if not message.isprintable():
        return f"message that cannot be printed: {short[:60]!r}"
    return f"message of {len(short)} characters: {short[:60]!r}" if len(short) > LONGEST_MESSAGE else ""


def _non_finite(value: Any, where: str) -> Iterator[str]:
    """Where in a result numbers are not finite, but for keypoints that are missing."""
    if isinstance(value, Keypoints):
        points = value.points
        gone = np.isnan(points[..., :2]).all(axis=-1) & (points[..., 2] == 0)
        if not np.isfinite(points[~gone]).all():
            yield f"{where}.points"
    if isinstance(value, torch.Tensor):
        if not bool(value.isfinite().all()):
            yield where
    elif isinstance(value, np.ndarray):
        if value.dtype.kind in "fc" and not np.isfinite(value).all():
            yield where
    elif isinstance(value, float):
        if not np.isfinite(value):
            yield where
    elif is_dataclass(value):
        for field in fields(value):
            if not (isinstance(value, Keypoints) and field.name == "points"):
                yield from _non_finite(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, torch.nn.Module):
        for name, tensor in value.state_dict().items():
            yield from _non_finite(tensor, re.sub(r"[0-9]+", "N", name))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _non_finite(part, where if len(str(key)) > 20 else f"{where}[{key}]")
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _non_finite(part, where)
