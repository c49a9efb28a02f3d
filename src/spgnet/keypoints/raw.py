"""The contents of a keypoint file before they become :class:`Keypoints`; what all parsers share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast, get_args

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.keypoints.frame_numbers import frame_span
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, Keypoints, KeypointSetName, present
from spgnet.keypoints.set_choice import fits, is_centred_on_the_hips, set_of_people
from spgnet.keypoints.tracks import Person, Track, drop_brief, people_to_tracks, scored_if_none_is
from spgnet.limits import FASTEST, SLOWEST

NO_PERSON = "it holds no person: no keypoint in any frame has a position and a positive score"
FARTHEST = 1e6
"""Pixels from the image's corner beyond which a keypoint counts as missing."""
_MOST_OUTSIDE = 0.3
"""Share of the keypoints that may be outside of the image."""
MAX_NORMALISED = 1.5
"""Positions count as shares of the image if nearly all are at most this; above 1 because detectors also place
keypoints outside the image."""


@dataclass(frozen=True)
class GivenMetadata:
    """Metadata that the user supplies: ``--keypoint-set``, ``--fps``, ``--image-size``; None if absent.

    ``camera_size`` is the image size of the given camera, for keypoints whose size is stated nowhere else.
    """

    keypoint_set: KeypointSetName | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None
    camera_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class RawKeypoints:
    """The contents of a file; None for metadata that it lacks.

    Args:
        tracks: everybody, by number, with x, y and score; NaN where missing.
        frames: number of frames of the clip.
        keypoint_set: as the file names it.
        first: number of the first frame; its time is this number divided by the frame rate.
        times: time of each frame in seconds.
        fps: frames per second.
        image_size: width and height in pixels.
        camera_matrix: intrinsics in pixels.
        distortion, fisheye, skipped: as in :class:`spgnet.keypoints.Keypoints`.
        normalised: whether x and y are relative to the image's width and height instead of in pixels; if
            None, they are if nearly all are at most :data:`MAX_NORMALISED`.
        remarks: what the parser had to assume.
    """

    tracks: dict[int, Track]
    frames: int
    keypoint_set: str | None = None
    first: int = 0
    times: np.ndarray | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None
    camera_matrix: np.ndarray | None = None
    distortion: np.ndarray | None = None
    fisheye: bool = False
    skipped: np.ndarray | None = None
    normalised: bool | None = False
    remarks: tuple[str, ...] = field(default=())

    def people(self, given: GivenMetadata) -> list[Keypoints]:
        """All people in the file by track number, with the metadata of the file and of the options.

        Raises:
            InputError: the file and the options together lack metadata, contradict each other, or hold no
                person; or positions are not pixels of an image.
        """
        tracks = {
            number: replace(track, points=within_reach(track.points)) for number, track in self.tracks.items()
        }
        points = np.concatenate([track.points for track in tracks.values()])
        check_scores(points)
        keypoint_set, timestamps, size, remarks = self._metadata(given, points)
        body = points[:, : KEYPOINT_COUNTS[keypoint_set]]
        if is_centred_on_the_hips(body, keypoint_set):
            raise InputError(
                "positions are centred on the hips (world landmarks, or a 3D pose), expected pixels of the "
                "image or shares of it, from its top left corner: in MediaPipe pose_landmarks"
            )
        scale = np.ones(3)
        if self.normalised or (self.normalised is None and looks_normalised(points)):
            scale[:2] = size
            if self.normalised is None:
                remarks += ("x and y are at most 1: taken for shares of the image's width and height",)
        if self.normalised is not False:
            check_inside(body * scale, size)
        tracks, dropped = drop_brief(tracks, self.frames)
        people = [
            Keypoints(
                points=self._every_frame(track, keypoint_set, scale),
                keypoint_set=keypoint_set,
                timestamps=timestamps,
                image_size=size,
                camera_matrix=self.camera_matrix,
                distortion=self.distortion,
                fisheye=self.fisheye,
                skipped=self.skipped,
                track=number,
                joined_tracks=track.joined,
                remarks=(*self.remarks, *remarks, *dropped),
            )
            for number, track in sorted(tracks.items())
        ]
        detected = [person for person in people if person.present.any()]
        if not detected:
            raise InputError(NO_PERSON)
        return detected

    def _every_frame(
        self, track: Track, keypoint_set: KeypointSetName, scale: np.ndarray
    ) -> Float[np.ndarray, "frames keypoints 3"]:
        """A person's points in single precision, scores clamped to [0, 1]; NaN, NaN, 0 where missing."""
        points = track.points[:, : KEYPOINT_COUNTS[keypoint_set]] * scale
        found = present(points)
        clean = missing(self.frames, points.shape[1])
        seen = clean[track.frames]
        seen[found] = points[found]
        seen[..., 2] = seen[..., 2].clip(0, 1)
        clean[track.frames] = seen
        return clean

    def _metadata(
        self, given: GivenMetadata, points: np.ndarray
    ) -> tuple[KeypointSetName, np.ndarray, tuple[int, int], tuple[str, ...]]:
        """Keypoint set, timestamps, image size and remarks.

        Raises:
            InputError: with every error in them.
        """
        timestamps = self._timestamps(given.fps)
        size = self.image_size or given.image_size or given.camera_size
        keypoint_set, remark, errors = self._keypoint_set(given.keypoint_set, points)
        if given.fps is not None and not SLOWEST <= given.fps <= FASTEST:
            errors.append(f"--fps is {given.fps}, expected a positive number from {SLOWEST:g} to {FASTEST:g}")
        elif timestamps is None:
            errors.append("it does not say its frame rate: give --fps")
        elif len(timestamps) != self.frames:
            errors.append(f"{len(timestamps)} timestamps for {self.frames} frames")
        if self.skipped is not None and len(self.skipped) != self.frames:
            errors.append(f"skipped tells of {len(self.skipped)} frames, there are {self.frames}")
        if size is None:
            errors.append("it does not say the image size: give --image-size (width height)")
        elif given.image_size not in (None, size):
            errors.append(f"its images are {_text(size)}, but --image-size says {_text(given.image_size)}")
        if errors:
            raise InputError("; ".join(errors))
        assert timestamps is not None
        assert size is not None
        remarks = (remark,) if remark else ()
        if not (self.image_size or given.image_size):
            told = f"the image size is that of the camera: {_text(size)}; --image-size says another"
            remarks += (told,)
        return keypoint_set, timestamps, size, remarks

    def _keypoint_set(
        self, wanted: KeypointSetName | None, points: np.ndarray
    ) -> tuple[KeypointSetName, str, list[str]]:
        """The keypoint set, a remark on how it was found, and what contradicts it."""
        count = points.shape[1]
        if self.keypoint_set is None and wanted is None:
            try:
                return *set_of_people(points), []
            except InputError as error:
                return "coco17", "", [str(error)]
        found = self.keypoint_set or wanted
        if found not in get_args(KeypointSetName):
            return (
                "coco17",
                "",
                [f"no keypoint set {found!r}; there are {', '.join(get_args(KeypointSetName))}"],
            )
        found = cast(KeypointSetName, found)
        if wanted not in (None, found):
            return found, "", [f"its keypoint set is {found}, but --keypoint-set says {wanted}"]
        expected = KEYPOINT_COUNTS[found]
        if count != expected and not (self.keypoint_set is None and fits(found, count)):
            return found, "", [f"people have {count} keypoints, expected {expected} for {found}"]
        return found, "", []

    def _timestamps(self, fps: float | None) -> np.ndarray | None:
        """Times of the frames in seconds; the user's frame rate takes precedence over the file's times."""
        if fps is None and self.times is not None:
            return self.times
        rate = fps or self.fps or (1.0 if self.frames == 1 else None)
        return None if rate is None else (self.first + np.arange(self.frames)) / rate

    def remark(self, *remarks: str) -> RawKeypoints:
        """The same with more remarks; empty ones are left out."""
        return replace(self, remarks=(*self.remarks, *filter(None, remarks)))


def raw_from_frames(frames: dict[int, list[Person]], *remarks: str) -> RawKeypoints:
    """Raw keypoints of the people in every frame, by frame number; frames may be absent.

    Where all scores are 0, all keypoints with a position count as sure. The people become tracks by
    :func:`spgnet.keypoints.tracks.people_to_tracks`.

    Args:
        frames: everybody in each frame.
        remarks: of the parser; empty ones are left out.

    Raises:
        InputError: there is no person, people differ in their number of keypoints, a frame has implausibly
            many people, or frame numbers have implausibly large gaps.
    """
    frames = {
        number: [person._replace(points=within_reach(person.points)) for person in people]
        for number, people in frames.items()
    }
    frames, unscored = scored_if_none_is(frames)
    detected = {
        number: [person for person in people if present(person.points).any()]
        for number, people in frames.items()
    }
    counts = sorted({len(person.points) for people in detected.values() for person in people})
    if len(counts) > 1:
        raise InputError(f"people have {' and '.join(map(str, counts[:6]))} keypoints, expected one number")
    if not counts:
        raise InputError(NO_PERSON)
    first, span = frame_span(frames)
    tracks, told = people_to_tracks({number - first: people for number, people in detected.items() if people})
    return RawKeypoints(tracks, span, first=first, normalised=None).remark(*remarks, *unscored, *told)


def within_reach(points: Float[np.ndarray, "*poses 3"]) -> Float[np.ndarray, "*poses 3"]:
    """Points in double precision, missing where they are beyond :data:`FARTHEST` from the image's corner;
    scores between -1000 and 1000."""
    near = (np.abs(points) <= FARTHEST)[..., :2].all(axis=-1) & ~np.isnan(points[..., 2])
    clean = np.where(near[..., None], points, [np.nan, np.nan, 0]).astype(np.float64)
    clean[..., 2] = clean[..., 2].clip(-1000, 1000)
    return clean


def missing(frames: int, count: int) -> Float[np.ndarray, "{frames} {count} 3"]:
    """Points that are all missing: NaN, NaN, 0."""
    points = np.full((frames, count, 3), np.nan, dtype=np.float32)
    points[..., 2] = 0
    return points


def looks_normalised(points: Float[np.ndarray, "poses keypoints 3"]) -> bool:
    """Whether positions are shares of the image: nearly all at most :data:`MAX_NORMALISED`."""
    xy = points[present(points)][:, :2]
    if not len(xy):
        return False
    low, high = np.percentile(xy, [2.5, 97.5], axis=0)
    return bool(high.max() <= MAX_NORMALISED and low.min() >= -MAX_NORMALISED and (high - low).max() > 0.01)


def check_inside(points: Float[np.ndarray, "poses keypoints 3"], image_size: tuple[int, int]) -> None:
    """Validate that positions are mostly those of an image's pixels.

    Raises:
        InputError: many are far outside of the image.
    """
    xy = points[present(points)][:, :2]
    margin = 0.1 * max(image_size)
    outside = ((xy < -margin) | (xy > np.array(image_size) + margin)).any(axis=-1)
    if len(xy) and outside.mean() > _MOST_OUTSIDE:
        (left, top), (right, bottom) = np.percentile(xy, [2, 98], axis=0)
        raise InputError(
            f"{100 * outside.mean():.0f} % of its keypoints are outside of an image of {_text(image_size)}: "
            f"x goes from {left:.4g} to {right:.4g} and y from {top:.4g} to {bottom:.4g}; "
            "is --image-size right, and are they 2D?"
        )


def check_scores(points: Float[np.ndarray, "poses keypoints 3"]) -> None:
    """Validate that the third number of keypoints is a score and not a third coordinate.

    Raises:
        InputError: many are negative, or far above those of any detector.
    """
    scores = points[np.isfinite(points).all(axis=-1)][:, 2]
    if len(scores) and ((scores < -0.5).mean() > 0.05 or np.median(np.abs(scores)) > 20):
        low, high = np.percentile(scores, [2, 98])
        raise InputError(
            f"the third number of its keypoints goes from {low:.4g} to {high:.4g}, expected a score from 0 "
            "to 1: 3D positions cannot be lifted, give 2D keypoints"
        )


def _text(size: tuple[int, int] | None) -> str:
    return f"{size[0]}x{size[1]}" if size else ""
