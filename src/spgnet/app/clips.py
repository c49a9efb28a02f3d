"""From the files that were dropped to results: find the people, and lift those who are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from spgnet.app.pictures import PersonPicture, picture_people
from spgnet.app.results import ResultsFolder
from spgnet.capture import CaptureConfig, DetectedPeople, ProgressCallback, find_people, run_capture
from spgnet.capture.config import Format
from spgnet.capture.outputs import NEEDED
from spgnet.capture.people import is_keypoints
from spgnet.errors import InputError
from spgnet.export import RigName
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
        found: the people; None if they could not be found.
        pictures: a picture of each.
        error: why they could not be found, one line.
    """

    path: Path
    options: ClipOptions
    found: DetectedPeople | None = None
    pictures: Sequence[PersonPicture] = ()
    error: str = ""


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
    """Find the people in a file. What is wrong with the file is in the clip's ``error``.

    Raises:
        OSError: another file cannot be read.
    """
    try:
        check_clip(path, options)
        found = find_people(
            path,
            camera=options.camera,
            camera_name=options.camera_name,
            field_of_view=options.field_of_view,
            fps=options.fps,
            image_size=options.image_size,
            keypoint_set=options.keypoint_set,
            rotate=options.rotate,
            detector=tools.detector_dir,
            on_progress=report,
        )
        first = found.people[0]
        check_duration(float(first.timestamps[-1] - first.timestamps[0]), LONGEST_UPLOAD)
        return Clip(path, options, found, picture_people(found, report))
    except InputError as error:
        return Clip(path, options, error=str(error))


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
    assert clip.found is not None
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
            export=written_formats(),
            rig=rig,
            columns="all",
            html=folder / "page.html",
            overlay=folder / "overlay.mp4" if find_spec("av") and find_spec("cv2") else None,
            **vars(clip.options),
        )
        run_capture(config, report, found)

    return results.add(clip.path.stem, write)
