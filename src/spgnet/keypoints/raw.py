"""What a keypoint file says, before it becomes :class:`Keypoints`: the common ground of all readers."""

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
"""What a number of keypoints means in a file that does not name its set. Whole-body sets begin with a body:
the 133 keypoints of COCO-WholeBody with COCO's 17, the 136 of Halpe with the 26; only these are read."""

NO_PERSON = "it holds no person: no keypoint in any frame has a position and a positive score"


@dataclass(frozen=True)
class GivenMetadata:
    """What a user says about a file: ``--keypoint-set``, ``--fps`` and ``--image-size``."""

    keypoint_set: KeypointSetName | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class RawKeypoints:
    """The contents of a file; None for what it does not say.

    Args:
        tracks: points [frames, keypoints, 3] of every person by number: x, y, score; NaN where missing.
        first: number of the first frame, whose time is its number over the frame rate.
        times: time of each frame in seconds.
        normalised: x and y are shares of the image's width and height.
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
        """Everyone in the file, by number, with what the options add.

        Raises:
            InputError: the file and the options together lack something, contradict each other, or hold
                nobody.
        """
        keypoint_set, timestamps, size = self._metadata(options)
        scale = np.array([*size, 1.0] if self.normalised else [1.0, 1.0, 1.0])
        people = [
            Keypoints(
                points=_cleaned(points[:, : KEYPOINT_COUNTS[keypoint_set]] * scale),
                keypoint_set=keypoint_set,
                timestamps=timestamps,
                image_size=size,
                camera_matrix=self.camera_matrix,
                distortion=self.distortion,
                track=track,
            )
            for track, points in sorted(self.tracks.items())
        ]
        seen = [person for person in people if person.present.any()]
        if not seen:
            raise InputError(NO_PERSON)
        return seen

    def _metadata(self, options: GivenMetadata) -> tuple[KeypointSetName, np.ndarray, tuple[int, int]]:
        """Keypoint set, timestamps and image size, or every fault in them."""
        frames, count, _ = next(iter(self.tracks.values())).shape
        keypoint_set = self.keypoint_set or options.keypoint_set or SET_BY_COUNT.get(count, "")
        timestamps = self._timestamps(frames, options.fps)
        size = self.image_size or options.image_size
        faults = self._set_errors(keypoint_set, count, options.keypoint_set)
        if options.fps is not None and options.fps <= 0:
            faults.append(f"--fps is {options.fps}, expected a positive number")
        elif timestamps is None:
            faults.append("it does not say its frame rate: give --fps")
        elif len(timestamps) != frames:
            faults.append(f"{len(timestamps)} timestamps for {frames} frames")
        if size is None:
            faults.append("it does not say the image size: give --image-size")
        elif options.image_size not in (None, size):
            faults.append(f"its images are {_text(size)}, but --image-size says {_text(options.image_size)}")
        if faults:
            raise InputError("; ".join(faults))
        assert timestamps is not None
        assert size is not None
        return cast(KeypointSetName, keypoint_set), timestamps, size

    def _set_errors(self, found: str, count: int, wanted: str | None) -> list[str]:
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
        """Times of the frames; a frame rate that the user gives comes first."""
        if fps is None and self.times is not None:
            return self.times
        rate = fps or self.fps or (1.0 if frames == 1 else None)
        return None if rate is None else (self.first + np.arange(frames)) / rate


class Person(NamedTuple):
    """One person in one frame: points [keypoints, 3], and the number the detector gave, if any."""

    points: np.ndarray
    track: int | None = None


def raw_from_frames(frames: dict[int, list[Person]]) -> RawKeypoints:
    """Raw keypoints of the people in every frame, by frame number; frames may be absent.

    The detector's numbers are used if everyone has one that nobody else in the frame has, counted from 1;
    otherwise people are linked by nearness.
    """
    shown = {
        number: [person for person in people if _has_keypoints(person.points)]
        for number, people in frames.items()
    }
    everyone = [person for people in shown.values() for person in people]
    counts = sorted({len(person.points) for person in everyone})
    if len(counts) > 1:
        raise InputError(f"people have {' and '.join(map(str, counts))} keypoints, expected one number")
    if not everyone:
        raise InputError(NO_PERSON)
    first, span = frame_span(frames)
    people = [shown.get(first + frame, []) for frame in range(span)]
    numbers = _detector_numbers(people) or link_people([_stacked(some, counts[0]) for some in people])
    tracks: dict[int, np.ndarray] = {}
    for frame, (some, tracked) in enumerate(zip(people, numbers, strict=True)):
        for person, track in zip(some, tracked, strict=True):
            tracks.setdefault(track, missing(span, counts[0]))[frame] = person.points
    return RawKeypoints(tracks, first=first)


def frame_span(numbers: Iterable[int]) -> tuple[int, int]:
    """First frame number, and how many frames there are up to the last.

    Raises:
        InputError: the numbers leap as frame numbers do not.
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
    """Points [frames, count, 3] of somebody who is not there."""
    points = np.full((frames, count, 3), np.nan)
    points[..., 2] = 0
    return points


def number_array(value: Any, what: str, shape: tuple[int | str, ...]) -> np.ndarray:
    """A value as an array of numbers; null becomes NaN.

    Args:
        value: nested lists or an array.
        what: name for the message.
        shape: expected shape, with a name where any length will do.
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
    """A value as a whole number, also if it was written as 3.0 or as text."""
    number = float(number_array(value, what, ()))
    if not number.is_integer():
        raise InputError(f"{what} is {number}, expected a whole number")
    return int(number)


def size_of(value: Any, what: str = "image_size") -> tuple[int, int]:
    """A value as width and height in pixels."""
    width, height = number_array(value, what, (2,))
    return whole_number(width, f"the width in {what}"), whole_number(height, f"the height in {what}")


def parse_metadata(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the keys of our own layout say besides the keypoints, as arguments of :class:`RawKeypoints`.

    Raises:
        InputError: values of the wrong kind, all of them named.
    """
    facts, faults = {}, []
    for key, (argument, read) in _METADATA.items():
        if content.get(key) is not None:
            try:
                facts[argument] = read(content[key], key)
            except InputError as error:
                faults.append(str(error))
    if faults:
        raise InputError("; ".join(faults))
    return facts


def _rate(value: Any, what: str) -> float:
    rate = float(number_array(value, what, ()))
    if not rate > 0:
        raise InputError(f"{what} is {rate}, expected a positive number")
    return rate


def _distortion(value: Any, what: str) -> np.ndarray:
    """k1, k2, p1, p2 and k3, which OpenCV allows to be left out."""
    values = number_array(value, what, ("coefficients",))
    if len(values) not in (4, 5):
        raise InputError(f"{what} has {len(values)} numbers, expected k1, k2, p1, p2, k3")
    return np.append(values, 0.0)[:5]


_METADATA = {
    "keypoint_set": ("keypoint_set", lambda value, what: str(value)),
    "timestamps": ("times", lambda value, what: number_array(value, what, ("frames",))),
    "fps": ("fps", _rate),
    "image_size": ("image_size", size_of),
    "camera_matrix": ("camera_matrix", lambda value, what: number_array(value, what, (3, 3))),
    "distortion": ("distortion", _distortion),
}


def _detector_numbers(frames: Sequence[Sequence[Person]]) -> list[list[int]] | None:
    numbers = [[person.track for person in people] for people in frames]
    given = [number for tracked in numbers for number in tracked if number is not None]
    if len(given) < sum(map(len, numbers)) or any(len(set(some)) < len(some) for some in numbers):
        return None
    shift = max(0, 1 - min(given))
    return [[number + shift for number in some if number is not None] for some in numbers]


def _stacked(people: Sequence[Person], count: int) -> np.ndarray:
    return np.stack([person.points for person in people]) if people else np.zeros((0, count, 3))


def _has_keypoints(points: np.ndarray) -> bool:
    return bool(present(points).any())


def _cleaned(points: np.ndarray) -> np.ndarray:
    """Scores in [0, 1], and NaN, NaN, 0 for what is missing."""
    there = present(points)
    tidy = missing(*points.shape[:2])
    tidy[there] = points[there]
    tidy[..., 2] = tidy[..., 2].clip(0, 1)
    return tidy.astype(np.float32)


def _text(size: tuple[int, int] | None) -> str:
    return f"{size[0]}x{size[1]}" if size else ""
