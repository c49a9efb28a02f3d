"""What lifts the inputs of a batch: networks that are loaded once, results that are whole or not there."""

from __future__ import annotations

import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch

import spgnet
from spgnet.batch.jobs import Job, Outcome, State, capture_config
from spgnet.batch.locations import Location
from spgnet.batch.manifest import MANIFEST, Manifest, read_manifest
from spgnet.capture import CaptureResult, run_capture
from spgnet.capture.config import CaptureOptions
from spgnet.capture.people import ProgressCallback, ignore_progress, is_keypoints, load_detector
from spgnet.capture.pieces import detect_piece, divide_video
from spgnet.detection import Detector
from spgnet.detection.clip_tracks import ClipTracks, load_tracks, save_tracks
from spgnet.detection.pieces import Piece, join_pieces
from spgnet.errors import InputError, one_line
from spgnet.lifting import Lifter

Result = TypeVar("Result")


class Worker:
    """Lifts one input after another; the networks are loaded when they are first needed, and kept.

    Whatever goes wrong with an input is in its outcome.

    Args:
        options: of all inputs.
        cores: processor cores to use; by default all that the process may use.
        piece_length: seconds of the pieces into which long videos are divided; 0: they are not divided.
    """

    def __init__(self, options: CaptureOptions, cores: int | None = None, piece_length: float = 0) -> None:
        self._options, self._cores, self._piece_length = options, cores, piece_length
        self._lifter: Lifter | None = None
        self._detector: Detector | None = None
        self._copies, self._copied = ExitStack(), dict[Location, Path]()
        if cores is not None:
            torch.set_num_threads(cores)

    def ready(self) -> None:
        """Do nothing: a worker that answers has started."""

    def lift(self, job: Job, report: ProgressCallback = ignore_progress) -> Outcome:
        """Lift an input and store its results.

        Args:
            job: the input.
            report: called with what is being done, how much of it is done, and how much there is.
        """
        return self._attempt(job, lambda began: self._lift(job, report, began))

    def divide_or_lift(self, job: Job) -> list[Piece] | Outcome:
        """The pieces of an input that is a long video; any other one is lifted."""

        def divide(began: float) -> list[Piece]:
            if not self._piece_length:
                return []
            with self._input(job) as path:
                return divide_video(capture_config(job.options, path, Path()), self._piece_length)

        pieces = self._attempt(job, divide)
        return pieces if isinstance(pieces, Outcome) or len(pieces) > 1 else self.lift(job)

    def detect(self, job: Job, piece: Piece) -> float | Outcome:
        """Detect the people in a piece of an input and store their tracks, unless they are there.

        Returns:
            Seconds of processing.
        """

        def detect(began: float) -> float:
            stored = job.stored_piece(piece)
            with suppress(FileNotFoundError, InputError):  # a damaged file is made again
                read_piece(stored)
                return 0.0
            with self._input(job) as path, stored.working_folder() as folder:
                detector = self._detector_for(path)
                assert detector is not None
                tracks = detect_piece(capture_config(job.options, path, Path()), detector, piece)
                source = job.input.location
                tracks.warnings = [_original_names(line, path, source) for line in tracks.warnings]
                save_tracks(folder / "tracks.npz", tracks)
                stored.put(folder / "tracks.npz")
            return _seconds_since(began)

        return self._attempt(job, detect)

    def join_and_lift(self, job: Job, pieces: Sequence[Piece], seconds: float) -> Outcome:
        """Lift an input whose pieces are all detected, and store its results.

        Args:
            job: the input.
            pieces: all of them, in order.
            seconds: that detecting them took.
        """

        def join(began: float) -> Outcome:
            tracks = join_pieces([read_piece(job.stored_piece(piece)) for piece in pieces])
            outcome = self._lift(job, ignore_progress, began - seconds, tracks)
            job.pieces.remove_folder()
            return outcome

        return self._attempt(job, join)

    def release(self) -> None:
        """Remove the local copy of an input from elsewhere."""
        self._copied.clear()
        self._copies.close()

    def _attempt(self, job: Job, work: Callable[[float], Result]) -> Result | Outcome:
        """The result of ``work``, called with the :func:`time.monotonic` of its start; a failed outcome if it
        raises."""
        began = time.monotonic()
        known: dict[str, Any] = {"attempts": 1, "worker": _name_of_worker()}
        try:
            return work(began)
        except (InputError, OSError) as error:
            known["error"] = _message(error)
        except Exception as error:  # a fault of the package, which ends this input and not the batch
            known |= {
                "error": f"{type(error).__name__}: {_message(error)}",
                "traceback": traceback.format_exc(),
            }
        return job.outcome(State.FAILED, seconds=_seconds_since(began), **known)

    def _lift(
        self, job: Job, report: ProgressCallback, began: float, tracks: ClipTracks | None = None
    ) -> Outcome:
        with self._input(job) as path, job.results.working_folder() as folder:
            config = capture_config(job.options, path, folder)
            lifter = self._loaded_lifter()
            detector = self._detector_for(path) if tracks is None else None
            captured = run_capture(config, report, lifter=lifter, detector=detector, tracks=tracks)
            remarks = [_original_names(line, path, job.input.location) for line in captured.remarks]
            manifest = store_results(job, folder, captured, remarks, began)
        return job.outcome(State.LIFTED, manifest, attempts=1, worker=_name_of_worker())

    @contextmanager
    def _input(self, job: Job) -> Iterator[Path]:
        """A local path with an input. Errors in the ``with`` block name the input as the user did.

        The copy of an input from elsewhere is kept until another one is needed, as the next piece of a video
        often is of the same one.

        Raises:
            InputError: the batch is of another version of the package.
        """
        if job.key.version != spgnet.__version__:
            raise InputError(f"this worker has spgnet {spgnet.__version__}, expected {job.key.version}")
        source = job.input.location
        if source not in self._copied:
            self.release()
            self._copied[source] = self._copies.enter_context(source.fetched())
        path = self._copied[source]
        try:
            yield path
        except InputError as error:
            raise InputError(_original_names(str(error), path, source)) from None

    def _loaded_lifter(self) -> Lifter:
        if self._lifter is None:
            self._lifter = Lifter.from_pretrained(self._options.weights, device=self._options.accelerator)
        return self._lifter

    def _detector_for(self, path: Path) -> Detector | None:
        """The detector, if there is a video to detect people in."""
        if not path.exists() or is_keypoints(path):
            return None
        if self._detector is None:
            self._detector = load_detector(self._options.detector_dir, cores=self._cores)
        return self._detector


def read_piece(stored: Location) -> ClipTracks:
    """The tracks of a piece of a video.

    Raises:
        InputError: the file is damaged, or its file system is not known, or refuses.
        OSError: it cannot be read, or is not there.
    """
    with stored.fetched() as path:
        if not path.exists():
            raise FileNotFoundError(f"{stored.text}: no such file")
        return load_tracks(path)


def store_results(
    job: Job, folder: Path, captured: CaptureResult, remarks: Sequence[str], began: float
) -> Manifest:
    """Move the files of a folder to where the results of a job belong, and write their manifest last.

    Meanwhile the manifest that is there says that they are incomplete. Files of an earlier result that this
    one does not have are removed.

    Args:
        job: whose results they are.
        folder: with the files.
        captured: what is in them.
        remarks: what the user should know.
        began: when the work began, by :func:`time.monotonic`.

    Raises:
        InputError: the file system of the results is not known, or refuses.
        OSError: they cannot be written.
    """
    files = sorted(each.name for each in folder.iterdir())
    earlier = read_manifest(job.results)
    stale = sorted(set(earlier.files if earlier else ()) - set(files))
    unfinished = Manifest(job.key, complete=False, files=(*files, *stale))
    job.results.joined(MANIFEST).write(unfinished.to_json())
    for name in stale:
        job.results.joined(name).remove()
    for name in files:
        job.results.joined(name).put(folder / name)
    manifest = Manifest(
        job.key,
        complete=True,
        files=tuple(files),
        people=len(captured.motions),
        frames=len(captured.motions[0]),
        seconds=_seconds_since(began),
        remarks=tuple(remarks),
    )
    job.results.joined(MANIFEST).write(manifest.to_json())
    return manifest


def _name_of_worker() -> str:
    return f"{platform.node()}:{os.getpid()}"


def _message(error: Exception) -> str:
    return one_line(error, longest=400)


def _original_names(text: str, path: Path, source: Location) -> str:
    """A message that names an input as the user did, and not its local copy."""
    return text.replace(str(path), source.text)


def _seconds_since(began: float) -> float:
    return round(time.monotonic() - began, 3)
