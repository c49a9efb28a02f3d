"""The inputs of a batch that are to be lifted, and what became of each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from spgnet.batch.inputs import BatchInput
from spgnet.batch.locations import Location
from spgnet.batch.manifest import Key, Manifest
from spgnet.capture import CaptureConfig
from spgnet.capture.config import CaptureOptions
from spgnet.detection.pieces import Piece


class State(StrEnum):
    """What became of an input."""

    LIFTED = "lifted"
    UNCHANGED = "unchanged"
    """Its results were there already, and so are not new."""
    FAILED = "failed"
    NOT_STARTED = "not started"
    """The batch was interrupted before."""


@dataclass(frozen=True)
class Outcome:
    """What became of an input: an entry of the report.

    Attributes:
        input: path or address.
        name: of the folder of its results.
        state: what became of it.
        error: why it failed, on one line.
        traceback: of an error that is a fault of the package.
        people: how many were lifted.
        frames: of the clip.
        seconds: of processing.
        attempts: how often it was tried; more than once if a worker died.
        worker: machine and process.
        remarks: what the user should know.
        size: bytes of the input.
    """

    input: str
    name: str
    state: State
    error: str | None = None
    traceback: str | None = None
    people: int = 0
    frames: int = 0
    seconds: float = 0.0
    attempts: int = 0
    worker: str | None = None
    remarks: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Job:
    """An input to lift.

    Attributes:
        input: what.
        results: folder of its results.
        options: how (:func:`capture_config`).
        key: what the results depend on.
    """

    input: BatchInput
    results: Location
    options: CaptureOptions
    key: Key

    @property
    def pieces(self) -> Location:
        """The folder of the tracks in the pieces of a long video, until it is lifted."""
        return self.results.beside(f".{self.input.name}.pieces")

    def stored_piece(self, piece: Piece) -> Location:
        """The file of the tracks in a piece of a long video."""
        depends_on = json.dumps([asdict(self.key), asdict(piece)])
        return self.pieces.joined(f"{hashlib.sha256(depends_on.encode()).hexdigest()[:16]}.npz")

    def outcome(self, state: State, found: Manifest | None = None, **values: Any) -> Outcome:
        """What became of the job.

        Args:
            state: in one word.
            found: the manifest of the results, if there are any.
            values: of further attributes of :class:`Outcome`.
        """
        clip = self.input
        if found is not None:
            values |= {name: getattr(found, name) for name in ("people", "frames", "seconds", "remarks")}
        return Outcome(clip.location.text, clip.name, state, size=clip.size, **values)


def capture_config(options: CaptureOptions, path: Path, folder: Path) -> CaptureConfig:
    """How to lift one input of a batch.

    Args:
        options: of the batch; ``html`` and ``overlay`` are names of files.
        path: of the input.
        folder: for its results, these files among them.
    """
    values = {each.name: getattr(options, each.name) for each in fields(CaptureOptions)}
    for name in ("html", "overlay"):
        values[name] = None if values[name] is None else folder / values[name]
    return CaptureConfig(input=str(path), out=folder, **values)
