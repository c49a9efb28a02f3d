"""What lifts the inputs of a batch: networks that are loaded once, results that are whole or not there."""

from __future__ import annotations

import os
import platform
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import spgnet
from spgnet.batch.jobs import Job, Outcome, State, capture_config
from spgnet.batch.locations import Location
from spgnet.batch.manifest import MANIFEST, Manifest, read_manifest
from spgnet.capture import CaptureResult, run_capture
from spgnet.capture.config import CaptureOptions
from spgnet.capture.people import ProgressCallback, ignore_progress, is_keypoints, load_detector
from spgnet.detection import Detector
from spgnet.errors import InputError, one_line
from spgnet.lifting import Lifter


class Worker:
    """Lifts one input after another; the networks are loaded when they are first needed, and kept.

    Args:
        options: of all inputs.
        cores: processor cores to use; by default all that the process may use.
    """

    def __init__(self, options: CaptureOptions, cores: int | None = None) -> None:
        self._options, self._cores = options, cores
        self._lifter: Lifter | None = None
        self._detector: Detector | None = None
        if cores is not None:
            torch.set_num_threads(cores)

    def ready(self) -> None:
        """Do nothing: a worker that answers has started."""

    def lift(self, job: Job, report: ProgressCallback = ignore_progress) -> Outcome:
        """Lift an input and store its results; whatever goes wrong is in the outcome.

        Args:
            job: the input.
            report: called with what is being done, how much of it is done, and how much there is.
        """
        began = time.monotonic()
        known: dict[str, Any] = {"attempts": 1, "worker": f"{platform.node()}:{os.getpid()}"}
        try:
            return job.outcome(State.LIFTED, self._lift(job, report, began), **known)
        except (InputError, OSError) as error:
            known["error"] = _message(error)
        except Exception as error:  # a fault of the package, which ends this input and not the batch
            known |= {
                "error": f"{type(error).__name__}: {_message(error)}",
                "traceback": traceback.format_exc(),
            }
        return job.outcome(State.FAILED, seconds=_seconds_since(began), **known)

    def _lift(self, job: Job, report: ProgressCallback, began: float) -> Manifest:
        if job.key.version != spgnet.__version__:
            raise InputError(f"this worker has spgnet {spgnet.__version__}, expected {job.key.version}")
        source = job.input.location
        with source.fetched() as path, job.results.working_folder() as folder:
            try:
                config = capture_config(job.options, path, folder)
                lifter, detector = self._loaded_lifter(), self._detector_for(path)
                captured = run_capture(config, report, lifter=lifter, detector=detector)
            except InputError as error:
                raise InputError(_original_names(str(error), path, source)) from None
            remarks = [_original_names(line, path, source) for line in captured.remarks]
            return store_results(job, folder, captured, remarks, began)

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


def _message(error: Exception) -> str:
    return one_line(error, longest=400)


def _original_names(text: str, path: Path, source: Location) -> str:
    """A message that names an input as the user did, and not its local copy."""
    return text.replace(str(path), source.text)


def _seconds_since(began: float) -> float:
    return round(time.monotonic() - began, 3)
