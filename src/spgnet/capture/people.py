"""The people in the input: 2D keypoints that are given, read from a file, or detected in a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Real

from spgnet.camera_files import FoundCamera, IntrinsicsSource, find_camera
from spgnet.camera_files.files import stated_image_size
from spgnet.detection import (
    Detector,
    RtmDetector,
    TrackedPerson,
    people_in_video,
    select_people,
    track_video,
)
from spgnet.detection.clip_tracks import ClipTracks
from spgnet.detection.frame_choice import DetectEvery
from spgnet.detection.pieces import Piece
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.image_rotation import ImageRotation
from spgnet.keypoints import KeypointFormat, Keypoints, KeypointSetName
from spgnet.keypoints.files import (
    KEYPOINT_SUFFIXES,
    OTHER_SUFFIXES,
    REFUSED_SUFFIXES,
    keypoint_folders,
    read_keypoints,
)
from spgnet.keypoints.raw import GivenMetadata
from spgnet.lifting.inputs import as_keypoints, check_fps
from spgnet.video import Frame, FrameSource, open_frames
from spgnet.video.images import SUFFIXES as IMAGE_SUFFIXES

ProgressCallback = Callable[[str, int, int | None], None]
"""Takes what is being done, how much of it is done, and how much there is, if that is known. If it raises
:class:`Cancelled`, the work ends there and leaves no file half-written."""
Person = Literal["largest", "all"] | int | str
"""Who is lifted: the largest person, everybody, one by number, or ``1+5+9`` for one with several numbers."""
LiftSource = str | Path | Keypoints | Sequence[Keypoints] | Real[np.ndarray, "frames joints 3"]
"""What can be lifted: a video, a folder of images, a keypoint file, or keypoints."""


class Cancelled(BaseException):
    """Raised by a progress callback to end the work. No error, so that nothing handles it as one."""


def ignore_progress(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


class DetectedPeople(NamedTuple):
    """The people in the input.

    Attributes:
        people: 2D keypoints of everybody, or of those who are selected, the largest first.
        video: where they were detected; None for keypoints from elsewhere.
        camera: what filmed them.
    """

    people: list[Keypoints]
    video: FrameSource | None
    camera: FoundCamera

    def select(self, person: Person) -> DetectedPeople:
        """Only those whom the user wants lifted.

        Raises:
            InputError: nobody has that number.
        """
        largest = select_people(self.people, "largest")[0]
        kept = sorted(select_people(self.people, person), key=lambda one: one.track != largest.track)
        return self._replace(people=kept)

    def remarks(self) -> list[str]:
        """What the user should know of the input: :meth:`remarks_on` of everybody, each remark once."""
        return list(dict.fromkeys(remark for one in self.people for remark in self.remarks_on(one)))

    def remarks_on(self, person: Keypoints) -> tuple[str, ...]:
        """The video's warnings, and the remarks of the reader of a person's keypoints."""
        return (*(self.video.warnings if self.video else ()), *person.remarks)


def camera_remarks(camera: FoundCamera) -> list[str]:
    """What filmed, and what follows if that was assumed, a line each."""
    lines = [f"camera: {camera.description}"]
    if camera.source is IntrinsicsSource.ASSUMED:
        lines.append("distances scale with the focal length, which was assumed: give --camera, or --height")
    return lines


def find_people(
    source: LiftSource,
    *,
    camera: Camera | Path | str | None = None,
    camera_name: str | None = None,
    field_of_view: float | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    keypoint_set: KeypointSetName | None = None,
    format: KeypointFormat | Literal["auto"] = "auto",
    rotate: ImageRotation = 0,
    detect_every: DetectEvery = "auto",
    detector: Detector | Path | str | None = None,
    tracks: ClipTracks | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> DetectedPeople:
    """Read or detect the people in the input; the arguments are those of :func:`spgnet.capture.lift.lift`.

    Whatever is wrong with the camera or the frame rate shows before anybody is detected. With ``tracks``,
    those of the pieces of the video (:func:`spgnet.detection.pieces.join_pieces`), nobody is detected.

    Raises:
        InputError: the input or the camera cannot be used, or nobody is there.
    """
    if fps is not None:
        check_fps(fps)
    if not isinstance(source, str | Path) or is_keypoints(Path(source)):
        if detect_every not in ("auto", 1):
            raise InputError("detect_every is for videos")
        given = GivenMetadata(keypoint_set, fps, image_size, _camera_size(source, camera, camera_name))
        people = _read_people(source, given, format)
        if rotate:
            people = [one.rotated(rotate) for one in people]
        found = find_camera(
            people[0].image_size,
            camera=camera,
            name=camera_name,
            keypoints=people[0],
            field_of_view=field_of_view,
            rotate=rotate,
        )
        return DetectedPeople(people, None, found)
    video = open_video(source, fps, keypoint_set, image_size, format, rotate)
    found = find_video_camera(video, camera, camera_name, field_of_view, rotate)
    if tracks is not None:
        people = people_in_video(video, tracks)
        video.warn_if_short(len(tracks.times))
    else:
        if detector is None or isinstance(detector, Path | str):
            on_progress("preparing the detector", 0, None)
            detector = load_detector(None if detector is None else Path(detector))
        people = people_in_video(video, detect_tracks(video, detector, detect_every, on_progress))
    if fps is not None:  # slow motion: time is that of the camera, not that of the file
        people = [replace(one, timestamps=np.arange(len(one)) / fps) for one in people]
    return DetectedPeople(people, video, found)


def load_detector(folder: Path | None = None, *, cores: int | None = None) -> Detector:
    """The package's detector, from a folder of its ONNX files or fetched once, on a number of cores.

    Raises:
        InputError: a library is missing, or the files cannot be found or fetched.
    """
    return RtmDetector(folder) if cores is None else RtmDetector(folder, cores=cores)


def is_keypoints(path: Path) -> bool:
    """Whether the input is 2D keypoints and not pictures."""
    if path.is_dir():
        suffixes = {file.suffix.lower() for file in path.iterdir() if not file.name.startswith(".")}
        return not suffixes & set(IMAGE_SUFFIXES) and (
            bool(suffixes & {*KEYPOINT_SUFFIXES, *REFUSED_SUFFIXES}) or bool(keypoint_folders(path))
        )
    return path.suffix.lower() in (*KEYPOINT_SUFFIXES, *REFUSED_SUFFIXES, *OTHER_SUFFIXES)


def _camera_size(
    source: LiftSource, camera: Camera | Path | str | None, name: str | None
) -> tuple[int, int] | None:
    """The image size for which a keypoint file's camera was calibrated, if that is stated."""
    if not isinstance(source, str | Path) or camera is None:
        return None
    if isinstance(camera, Path | str):
        return stated_image_size(Path(camera), name)
    if not isinstance(camera, Camera) or camera.focal.ndim != 1:
        return None  # refused later
    width, height = camera.image_size.tolist()
    return int(width), int(height)


def _read_people(
    source: LiftSource, given: GivenMetadata, format: KeypointFormat | Literal["auto"]
) -> list[Keypoints]:
    """The people of a keypoint file, of :class:`Keypoints` or of an array."""
    if isinstance(source, str | Path):
        return read_keypoints(Path(source), given, format)
    if format != "auto":
        raise InputError("format is for keypoint files")
    several = source if isinstance(source, Sequence) else [source]
    people = [as_keypoints(one, given.fps, given.image_size, given.keypoint_set) for one in several]
    if not people:
        raise InputError("there are no keypoints to lift: the list is empty")
    tracks, sizes = [one.track for one in people], {one.image_size for one in people}
    if len(set(tracks)) < len(tracks):
        raise InputError(f"each person needs a track number of its own, got {tracks}")
    if len(sizes) > 1:
        raise InputError(f"people of one clip have one image_size, got {', '.join(map(str, sorted(sizes)))}")
    return people


def open_video(
    source: str | Path,
    fps: float | None,
    keypoint_set: KeypointSetName | None,
    image_size: tuple[int, int] | None,
    format: KeypointFormat | Literal["auto"],
    rotate: ImageRotation,
) -> FrameSource:
    """The video, folder of images or webcam that the user names.

    Raises:
        InputError: it cannot be read, or an option for keypoint files is given.
    """
    if keypoint_set or image_size or format != "auto":
        raise InputError(f"{source}: keypoint_set, image_size and format are for keypoint files")
    return open_frames(source, image_fps=fps or 30.0, rotate=rotate)


def find_video_camera(
    video: FrameSource,
    camera: Camera | Path | str | None,
    name: str | None,
    field_of_view: float | None,
    rotate: ImageRotation,
) -> FoundCamera:
    """The camera that filmed a video: that of the user, else what the video's metadata tell, else assumed.

    Raises:
        InputError: the camera cannot be used.
    """
    return find_camera(
        video.image_size,
        camera=camera,
        name=name,
        focal_hint=video.focal_hint,
        field_of_view=field_of_view,
        rotate=rotate,
    )


def detect_tracks(
    video: FrameSource,
    detector: Detector,
    detect_every: DetectEvery,
    on_progress: ProgressCallback,
    piece: Piece | None = None,
) -> ClipTracks:
    """Detect and track the people in a video or in a piece of it (:func:`spgnet.detection.track_video`).

    Raises:
        InputError: the video cannot be read.
    """

    def on_frame(frame: Frame, people: Sequence[TrackedPerson]) -> None:
        on_progress("detecting", round(frame.time * video.fps) + 1, video.frame_count)

    on_progress("detecting", 0, video.frame_count)
    return track_video(video, detector, detect_every=detect_every, on_frame=on_frame, piece=piece)
