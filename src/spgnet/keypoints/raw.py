"""The contents of a keypoint file before they become :class:`Keypoints`; what all parsers share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast, get_args

import numpy as np

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, Keypoints, KeypointSetName, present
from spgnet.keypoints.linking import link_people

SET_BY_COUNT: dict[int, KeypointSetName] = {
    17: "coco17",
    25: "body25",
    26: "halpe26",
    33: "mediapipe33",
    133: "coco17",
    136: "halpe26",
}
"""The keypoint set by the number of keypoints, for a file that does not name its set. Of whole-body sets only
the body is read, with which they begin: COCO's 17 of COCO-WholeBody's 133, Halpe's 26 of 136."""

NO_PERSON = "it holds no person: no keypoint in any frame has a position and a positive score"


@dataclass(frozen=True)
class GivenMetadata:
    """Metadata that the user supplies: ``--keypoint-set``, ``--fps``, ``--image-size``; None if absent."""

    keypoint_set: KeypointSetName | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class RawKeypoints:
    """The contents of a file; None for metadata that it lacks.

    Args:
        tracks: points [frames, keypoints, 3] by track number: x, y, score; NaN where missing.
        first: number of the first frame; its time is this number divided by the frame rate.
        times: time of each frame in seconds.
        normalised: whether x and y are relative to the image's width and height instead of in pixels.
    """

    tracks: dict[int, np.ndarray]
    keypoint_set: str | None = None
    first: int = 0
    times: np.ndarray | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None
    camera_matrix: np.ndarray | None = None
    distortion: np.ndarray | None = None
    normalised: bool = False

    def people(self, options: GivenMetadata) -> list[Keypoints]:
        """All people in the file by track number, with the metadata of the file and of the options.

        Raises:
            InputError: the file and the options together lack metadata, contradict each other, or hold no
                person.
        """
        keypoint_set, timestamps, size = self._metadata(options)
        scale = np.array([*size, 1.0] if self.normalised else [1.0, 1.0, 1.0])
        people = [
            Keypoints(
                points=_clean(points[:, : KEYPOINT_COUNTS[keypoint_set]] * scale),
                keypoint_set=keypoint_set,
                timestamps=timestamps,
                image_size=size,
                camera_matrix=self.camera_matrix,
                distortion=self.distortion,
                track=track,
            )
            for track, points in sorted(self.tracks.items())
        ]
        detected = [person for person in people if person.present.any()]
        if not detected:
            raise InputError(NO_PERSON)
        return detected

    def _metadata(self, options: GivenMetadata) -> tuple[KeypointSetName, np.ndarray, tuple[int, int]]:
        """Keypoint set, timestamps and image size.

        Raises:
            InputError: with every error in them.
        """
        frames, count, _ = next(iter(self.tracks.values())).shape
        keypoint_set = self.keypoint_set or options.keypoint_set or SET_BY_COUNT.get(count, "")
        timestamps = self._timestamps(frames, options.fps)
        size = self.image_size or options.image_size
        errors = self._set_errors(keypoint_set, count, options.keypoint_set)
        if options.fps is not None and options.fps <= 0:
            errors.append(f"--fps is {options.fps}, expected a positive number")
        elif timestamps is None:
            errors.append("it does not say its frame rate: give --fps")
        elif len(timestamps) != frames:
            errors.append(f"{len(timestamps)} timestamps for {frames} frames")
        if size is None:
            errors.append("it does not say the image size: give --image-size")
        elif options.image_size not in (None, size):
            errors.append(f"its images are {_text(size)}, but --image-size says {_text(options.image_size)}")
        if errors:
            raise InputError("; ".join(errors))
        assert timestamps is not None
        assert size is not None
        return cast(KeypointSetName, keypoint_set), timestamps, size

    def _set_errors(self, found: str, count: int, wanted: str | None) -> list[str]:
        """Why people with `count` keypoints are not of the set that was found; empty if they are."""
        if not found:
            counts = ", ".join(f"{number} ({name})" for number, name in SET_BY_COUNT.items())
            return [f"people have {count} keypoints, expected {counts}"]
        if found not in get_args(KeypointSetName):
            return [f"no keypoint set {found!r}; there are {', '.join(get_args(KeypointSetName))}"]
        if wanted not in (None, found):
            return [f"its keypoint set is {found}, but --keypoint-set says {wanted}"]
        expected = KEYPOINT_COUNTS[cast(KeypointSetName, found)]
        whole_body = self.keypoint_set is None and SET_BY_COUNT.get(count) == found
        if count != expected and not whole_body:
            return [f"people have {count} keypoints, expected {expected} for {found}"]
        return []

    def _timestamps(self, frames: int, fps: float | None) -> np.ndarray | None:
        """Times of the frames in seconds; the user's frame rate takes precedence over the file's times."""
        if fps is None and self.times is not None:
            return self.times
        rate = fps or self.fps or (1.0 if frames == 1 else None)
        return None if rate is None else (self.first + np.arange(frames)) / rate


class Person(NamedTuple):
    """One person in one frame: points [keypoints, 3], and the detector's track number, if any."""

    points: np.ndarray
    track: int | None = None


def raw_from_frames(frames: dict[int, list[Person]]) -> RawKeypoints:
    """Raw keypoints of the people in every frame, by frame number; frames may be absent.

    The detector's track numbers are used, shifted to start at 1 or above, if every person has one that is
    unique in the frame; otherwise people are linked by distance (:func:`link_people`).

    Raises:
        InputError: there is no person, people differ in their number of keypoints, or frame numbers have
            implausibly large gaps.
    """
    detected = {
        number: [person for person in people if _has_keypoints(person.points)]
        for number, people in frames.items()
    }
    everyone = [person for people in detected.values() for person in people]
    counts = sorted({len(person.points) for person in everyone})
    if len(counts) > 1:
        raise InputError(f"people have {' and '.join(map(str, counts))} keypoints, expected one number")
    if not everyone:
        raise InputError(NO_PERSON)
    first, span = frame_span(frames)
    people = [detected.get(first + frame, []) for frame in range(span)]
    numbers = _detector_numbers(people) or link_people([_stack(some, counts[0]) for some in people])
    tracks: dict[int, np.ndarray] = {}
    for frame, (some, tracked) in enumerate(zip(people, numbers, strict=True)):
        for person, track in zip(some, tracked, strict=True):
            tracks.setdefault(track, missing(span, counts[0]))[frame] = person.points
    return RawKeypoints(tracks, first=first)


def frame_span(numbers: Iterable[int]) -> tuple[int, int]:
    """First frame number, and the number of frames from the first to the last.

    Raises:
        InputError: a number is negative, or the gaps are too large for frame numbers.
    """
    known = sorted(set(numbers))
    span = known[-1] - known[0] + 1
    if known[0] < 0 or span > 1000 + 100 * len(known):
        raise InputError(
            f"{len(known)} frames have numbers from {known[0]} to {known[-1]}, expected numbers that count "
            "frames"
        )
    return known[0], span


def missing(frames: int, count: int) -> np.ndarray:
    """Points [frames, count, 3] that are all missing: NaN, NaN, 0."""
    points = np.full((frames, count, 3), np.nan)
    points[..., 2] = 0
    return points


def number_array(value: Any, what: str, shape: tuple[int | str, ...]) -> np.ndarray:
    """Convert a value to an array of numbers; null becomes NaN.

    Args:
        value: nested lists or an array.
        what: name for the message.
        shape: expected shape, with a name for a dimension of any length.

    Raises:
        InputError: it is not numbers, or has another shape.
    """
    expected = f"expected numbers [{', '.join(map(str, shape))}]" if shape else "expected a number"
    try:
        array = np.asarray(value, dtype=np.float64)
    except (OverflowError, TypeError, ValueError):
        kind = "an irregular list" if isinstance(value, list) and shape else repr(value)[:40]
        raise InputError(f"{what} is {kind}, {expected}") from None
    lengths = zip(shape, array.shape, strict=False)
    if array.ndim != len(shape) or any(isinstance(n, int) and n != m for n, m in lengths):
        raise InputError(f"{what} has shape {list(array.shape)}, {expected}")
    return array


def whole_number(value: Any, what: str) -> int:
    """Convert a value to an integer, also if it was written as 3.0 or as text.

    Raises:
        InputError: it is not a whole number.
    """
    number = float(number_array(value, what, ()))
    if not number.is_integer():
        raise InputError(f"{what} is {number}, expected a whole number")
    return int(number)


def parse_image_size(value: Any, what: str = "image_size") -> tuple[int, int]:
    """Convert a value to width and height in pixels.

    Raises:
        InputError: it is not two whole numbers.
    """
    width, height = number_array(value, what, (2,))
    return whole_number(width, f"the width in {what}"), whole_number(height, f"the height in {what}")


def parse_metadata(content: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the metadata keys of our own format into arguments of :class:`RawKeypoints`.

    Raises:
        InputError: values are malformed; the message names all of them.
    """
    metadata, errors = {}, []
    for key, (argument, read) in _METADATA.items():
        if content.get(key) is not None:
            try:
                metadata[argument] = read(content[key], key)
            except InputError as error:
                errors.append(str(error))
    if errors:
        raise InputError("; ".join(errors))
    return metadata


def _rate(value: Any, what: str) -> float:
    rate = float(number_array(value, what, ()))
    if not rate > 0:
        raise InputError(f"{what} is {rate}, expected a positive number")
    return rate


def _distortion(value: Any, what: str) -> np.ndarray:
    """k1, k2, p1, p2, k3; OpenCV may omit the last."""
    values = number_array(value, what, ("coefficients",))
    if len(values) not in (4, 5):
        raise InputError(f"{what} has {len(values)} numbers, expected k1, k2, p1, p2, k3")
    return np.append(values, 0.0)[:5]


_METADATA = {
    "keypoint_set": ("keypoint_set", lambda value, what: str(value)),
    "timestamps": ("times", lambda value, what: number_array(value, what, ("frames",))),
    "fps": ("fps", _rate),
    "image_size": ("image_size", parse_image_size),
    "camera_matrix": ("camera_matrix", lambda value, what: number_array(value, what, (3, 3))),
    "distortion": ("distortion", _distortion),
}


def _detector_numbers(frames: Sequence[Sequence[Person]]) -> list[list[int]] | None:
    """The detector's track numbers from 1, or None if they are incomplete or not unique in a frame."""
    numbers = [[person.track for person in people] for people in frames]
    given = [number for tracked in numbers for number in tracked if number is not None]
    if len(given) < sum(map(len, numbers)) or any(len(set(some)) < len(some) for some in numbers):
        return None
    shift = max(0, 1 - min(given))
    return [[number + shift for number in some if number is not None] for some in numbers]


def _stack(people: Sequence[Person], count: int) -> np.ndarray:
    return np.stack([person.points for person in people]) if people else np.zeros((0, count, 3))


def _has_keypoints(points: np.ndarray) -> bool:
    return bool(present(points).any())


def _clean(points: np.ndarray) -> np.ndarray:
    """Points in single precision, scores clamped to [0, 1], missing keypoints as NaN, NaN, 0."""
    found = present(points)
    clean = missing(*points.shape[:2])
    clean[found] = points[found]
    clean[..., 2] = clean[..., 2].clip(0, 1)
    return clean.astype(np.float32)


def _text(size: tuple[int, int] | None) -> str:
    return f"{size[0]}x{size[1]}" if size else ""
