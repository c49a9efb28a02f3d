"""From videos and keypoint files to results: find the people, and lift those who are chosen, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from spgnet.app.config import AppConfig
from spgnet.app.pictures import PersonPicture, picture_people
from spgnet.app.results import ResultsFolder
from spgnet.batch import BatchConfig, Outcome, plan_batch, run_batch
from spgnet.capture import CaptureConfig, DetectedPeople, ProgressCallback, find_people, run_capture
from spgnet.capture.config import Format
from spgnet.capture.outputs import NEEDED
from spgnet.capture.people import is_keypoints
from spgnet.errors import InputError
from spgnet.export import RigName
from spgnet.files import expand_home
from spgnet.geometry.image_rotation import ImageRotation
from spgnet.keypoints import KeypointSetName
from spgnet.limits import LARGEST_UPLOAD, LONGEST_UPLOAD, check_duration, check_file_size
from spgnet.video import open_frames


@dataclass(frozen=True)
class ClipOptions:
    """What a user says of their clips; as in :class:`spgnet.capture.CaptureConfig`.

    Raises:
        InputError: a value is out of range; raised when it is used.
    """

    rotate: ImageRotation = 0
    fps: float | None = None
    camera: Path | None = None
    camera_name: str | None = None
    field_of_view: float | None = None
    image_size: tuple[int, int] | None = None
    keypoint_set: KeypointSetName | None = None


@dataclass(frozen=True)
class Clip:
    """A file that was dropped, and the people in it.

    Args:
        path: the file.
        options: with which the people were found.
        found: the people.
        pictures: a picture of each.
    """

    path: Path
    options: ClipOptions
    found: DetectedPeople
    pictures: Sequence[PersonPicture]


@dataclass(frozen=True)
class Tools:
    """What all clips are lifted with.

    Args:
        detector_dir: folder of the detector's files, if they are not to be fetched.
        weights: of the network.
    """

    detector_dir: Path | None = None
    weights: str = "default"


def find_clip(path: Path, options: ClipOptions, tools: Tools, report: ProgressCallback) -> Clip:
    """Find the people in a file.

    Raises:
        InputError: it is too large, too long or damaged, or nobody is in it.
        OSError: a file cannot be read.
    """
    check_clip(path, options)
    found = find_people(path, detector=tools.detector_dir, on_progress=report, **vars(options))
    first = found.people[0]
    check_duration(float(first.timestamps[-1] - first.timestamps[0]), LONGEST_UPLOAD)
    return Clip(path, options, found, picture_people(found, report))


def check_clip(path: Path, options: ClipOptions) -> None:
    """Refuse a file that is too large or too long, before the work.

    Raises:
        InputError: it is, or it is no video that can be read.
    """
    check_file_size(path, LARGEST_UPLOAD)
    if not is_keypoints(path):
        video = open_frames(path)
        if video.frame_count is not None:
            check_duration(video.frame_count / (options.fps or video.fps), LONGEST_UPLOAD)


def written_formats() -> tuple[Format, ...]:
    """The formats that can be written here: all whose libraries are installed."""
    formats: tuple[Format, ...] = get_args(Format)
    return tuple(name for name in formats if name not in NEEDED or find_spec(NEEDED[name][0]))


def _written_files(folder: Path, rig: RigName) -> dict[str, Any]:
    """The options of a lift that say what is written: everything that can be, the page and the overlay into
    a folder."""
    return {
        "export": written_formats(),
        "rig": rig,
        "columns": "all",
        "html": folder / "page.html",
        "overlay": folder / "overlay.mp4" if find_spec("av") and find_spec("cv2") else None,
    }


def lift_clip(
    clip: Clip,
    tracks: Sequence[int],
    results: ResultsFolder,
    tools: Tools,
    report: ProgressCallback,
    *,
    height: float | None = None,
    rig: RigName = "spgnet",
) -> str:
    """Lift people of a clip, and write everything that there is of them.

    Args:
        clip: in which people were found.
        tracks: who is lifted, by number; one or more.
        results: where to.
        tools: what with.
        report: called with the progress.
        height: in metres, of the only person.
        rig: skeleton of the files for animation.

    Returns:
        The name of the result.

    Raises:
        InputError: nothing can be lifted, or the height does not go with the people.
        OSError: a file cannot be read or written.
    """
    chosen = [person for person in clip.found.people if person.track in tracks]
    if not chosen:
        raise InputError(f"{clip.path.name}: nobody is chosen")
    found = clip.found._replace(people=chosen)

    def write(folder: Path) -> None:
        config = CaptureConfig(
            input=str(clip.path),
            out=folder,
            person="all" if len(chosen) > 1 else chosen[0].track,
            detector_dir=tools.detector_dir,
            weights=tools.weights,
            height=height,
            **_written_files(folder, rig),
            **vars(clip.options),
        )
        run_capture(config, report, found)

    return results.add(clip.path.stem, write)


def lift_folder(
    folder: str,
    config: AppConfig,
    report: ProgressCallback,
    *,
    person: Literal["largest", "all"] = "largest",
    rig: RigName = "spgnet",
) -> list[Outcome]:
    """Lift all videos and keypoint files of a folder into the folder of results, by the app's workers if it
    has any. What is there already stays.

    Raises:
        InputError: there is no such folder, nothing in it can be lifted, or the workers cannot start.
        OSError: a file cannot be read or written.
    """
    path = expand_home(folder)
    if not path.is_absolute() or not path.is_dir():
        raise InputError(f"{folder}: no such folder, expected its full path")
    plan = plan_batch(
        BatchConfig(
            inputs=(str(path),),
            out=str(config.out),
            person=person,
            detector_dir=config.detector_dir,
            weights=config.weights,
            workers=config.workers,
            ray=config.ray,
            **_written_files(Path(), rig),
        )
    )
    if plan.config.on_ray:  # then the progress is that of all inputs
        return run_batch(plan, lambda _, done, total: report("lifting the folder", done, total))
    done: list[Outcome] = []

    def report_input(stage: str, frames: int, total: int | None) -> None:
        report(f"{stage} ({len(done) + 1} of {len(plan.jobs)})", frames, total)

    return run_batch(plan, report_input, done.append)
