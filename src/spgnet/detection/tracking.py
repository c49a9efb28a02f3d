"""Tracking people from frame to frame by position, pose and appearance (docs/detection.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.detection.appearance import appearance, appearance_similarity
from spgnet.detection.detector import Detector
from spgnet.errors import InputError
from spgnet.geometry.skeleton import mirror_indices
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.keypoints.similarity import (
    MIN_SHARED,
    best_assignment,
    diagonal,
    enlarge,
    iou,
    keypoint_box,
    mean_confidence,
    oks,
    visible,
)

VELOCITY_DECAY = 0.4
"""Time constant, in seconds, with which the predicted velocity of a missing person decays."""
VELOCITY_SMOOTHING = 0.08
"""Time constant, in seconds, of the low-pass on a person's velocity."""
APPEARANCE_RATE = 0.1
"""Weight of the newest frame in a person's appearance, an exponential moving average."""


@dataclass(frozen=True)
class TrackingConfig:
    """Settings of the tracker.

    Confidences are means over the better half of a person's keypoints
    (:func:`spgnet.keypoints.similarity.mean_confidence`).

    Args:
        boxes_every: run the person detector in every n-th frame, and in every frame while nobody is tracked
            or a tracked person is missing or of low confidence; None: only in the latter. The keypoints of
            tracked people are detected in every frame in any case.
        boxes_interval: seconds from one turn of the person detector to the next, instead of `boxes_every`,
            where only as many frames are looked at as the motion needs.
        max_age: seconds for which a person may be missing and keep the number.
        min_duration: seconds for which a person must be tracked to get a number.
        start_confidence: minimum confidence of a new person.
        keep_confidence: minimum confidence of a tracked person.
        sure_confidence: confidence above which a person needs no confirmation by the person detector.
        oks_threshold: object keypoint similarity above which two poses are detections of the same person.

    Raises:
        InputError: `boxes_every` or `boxes_interval` is not positive.
    """

    boxes_every: int | None = 5
    boxes_interval: float = 0.25
    max_age: float = 1.0
    min_duration: float = 0.3
    start_confidence: float = 0.5
    keep_confidence: float = 0.35
    sure_confidence: float = 0.65
    oks_threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.boxes_every is not None and self.boxes_every < 1:
            raise InputError(f"boxes_every must be 1 or more, got {self.boxes_every}")
        if not self.boxes_interval > 0:
            raise InputError(f"boxes_interval must be positive, got {self.boxes_interval}")


@dataclass(frozen=True)
class TrackedPerson:
    """One person in one frame.

    Args:
        serial: unique identifier of the person from the first frame on.
        track: the person's number, from 1 without gaps, once tracked for `min_duration`; 0 until then, since
            many candidates last for a few frames only.
        keypoints: x and y in pixels, and score.
    """

    serial: int
    track: int
    keypoints: Float[np.ndarray, "joints 3"]


@dataclass
class _Track:
    """State of a tracked person.

    Args:
        serial, number: `serial` and `track` of :class:`TrackedPerson`.
        points: keypoints [joints, 3] in the last frame with the person.
        first, last: times of the first and the last frame with the person, in seconds.
        last_confirmed: last time, in seconds, at which the person detector or a high confidence confirmed the
            person.
        appearance: mean colours, see :func:`spgnet.detection.appearance.appearance`.
        frames: number of frames with the person.
        velocity: of the whole person, [2], in pixels per second.
    """

    serial: int
    points: np.ndarray
    first: float
    last: float
    appearance: np.ndarray
    last_confirmed: float
    number: int = 0
    frames: int = 1
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def predict(self, time: float) -> np.ndarray:
        """The keypoints [joints, 3] predicted for a time, with a decaying velocity."""
        decayed = 1 - np.exp(-(time - self.last) / VELOCITY_DECAY)
        moved = self.points.copy()
        moved[:, :2] += self.velocity * VELOCITY_DECAY * decayed
        return moved

    def update(self, points: np.ndarray, time: float, colours: np.ndarray | None) -> None:
        """Update with a frame's keypoints and colours; None for colours that may be another person's."""
        both = visible(points) & visible(self.points)
        if both.any():
            velocity = np.median(points[both, :2] - self.points[both, :2], axis=0) / (time - self.last)
            share = 1.0 if self.frames == 1 else 1 - np.exp(-(time - self.last) / VELOCITY_SMOOTHING)
            self.velocity += share * (velocity - self.velocity)
        self.points, self.last = points, time
        self.frames += 1
        if colours is not None:
            mixed = (1 - APPEARANCE_RATE) * self.appearance + APPEARANCE_RATE * colours
            known = np.where(np.isnan(self.appearance), colours, self.appearance)
            self.appearance = np.where(np.isnan(mixed), known, mixed)


class Tracker:
    """Tracks people frame by frame, with constant memory.

    The candidates of a frame are the poses in the boxes of the person detector and in the boxes predicted for
    tracked people, without duplicates. They are assigned to tracked people so that the sum of similarities in
    position, pose and appearance is largest. A person without a candidate is missing, and the track ends
    after `max_age`.

    Args:
        detector: detects people and their keypoints.
        config: settings; the defaults if None.
    """

    def __init__(self, detector: Detector, config: TrackingConfig | None = None) -> None:
        self.detector = detector
        self.config = config or TrackingConfig()
        names = KEYPOINT_NAMES[detector.keypoint_set]
        self._joints, self._mirror = len(names), list(mirror_indices(names))
        self._tracks: list[_Track] = []
        self._frame_count = self._serials = self._numbers = 0
        self._time = -np.inf

    def start_scene(self) -> None:
        """Forget everybody: the next frame is of another scene, and whoever is in it gets a new number."""
        self._tracks = []

    def update(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        time: float,
        boxes: Float[np.ndarray, "people 4"] | None = None,
    ) -> list[TrackedPerson]:
        """The people in the next frame.

        Args:
            image: RGB.
            time: in seconds, later than that of the previous frame.
            boxes: what the person detector finds in the image; if None, it is run where it is needed.
        """
        self._tracks = [track for track in self._tracks if time - track.last <= self.config.max_age]
        all_clear = self._tracks and all(self._is_clear(track) for track in self._tracks)
        turn = self.config.boxes_every is not None and self._frame_count % self.config.boxes_every == 0
        self._frame_count += 1
        if boxes is None and (turn or not all_clear):
            boxes = self.detector.boxes(image)
        points, confirmed = self._candidates(image, time, boxes)
        colours = [appearance(image, person, self.detector.keypoint_set) for person in points]
        pairs = best_assignment(self._gains(points, colours, time))
        own = [keypoint_box(person) for person in points]
        for row, column in pairs:
            track = self._tracks[row]
            # Where people overlap, the colours may be those of the person in front.
            alone = sum(iou(own[column][None], np.array(own))[0] > 0.1) == 1
            track.update(points[column], time, colours[column] if alone else None)
            sure = mean_confidence(points[column][None])[0] > self.config.sure_confidence
            if confirmed[column] or boxes is None or sure:
                track.last_confirmed = time
        new = set(range(len(points))) - {column for _, column in pairs}
        for column in sorted(new, key=lambda column: -diagonal(own[column])):
            if confirmed[column]:
                self._start(points[column], colours[column], time)
        self._time = time
        # The pose network also finds keypoints on a background; only the person detector shows that the
        # person has left.
        longest = 1.5 * self.config.max_age
        self._tracks = [track for track in self._tracks if time - track.last_confirmed <= longest]
        return self._present(time)

    def _candidates(
        self, image: np.ndarray, time: float, boxes: np.ndarray | None
    ) -> tuple[np.ndarray, list[bool]]:
        """Poses [n, joints, 3] without duplicates, and whether the person detector's boxes confirm each.

        The box around a person's predicted keypoints gives better keypoints than the person detector's box,
        which is therefore used only for people who are new, missing or of low confidence.
        """
        near = [track for track in self._tracks if time - track.last <= 0.25 * self.config.max_age]
        expected = np.array([track.predict(time) for track in near]).reshape(len(near), self._joints, 3)
        expected_boxes = np.array([enlarge(keypoint_box(points), 0.05) for points in expected]).reshape(-1, 4)
        boxes = np.zeros((0, 4)) if boxes is None else boxes
        shared = iou(expected_boxes, boxes)
        box_of = dict(best_assignment(np.where(shared > 0.4, shared, 0.0)))
        known = {box for row, box in box_of.items() if self._is_clear(near[row])}
        new = [box for index, box in enumerate(boxes) if index not in known]
        points = self.detector.pose(image, np.concatenate([expected_boxes, np.array(new).reshape(-1, 4)]))
        confirmed = [row in box_of for row in range(len(near))] + [True] * len(new)
        return self._oks_nms(points, confirmed, expected)

    def _oks_nms(
        self, points: np.ndarray, confirmed: list[bool], expected: np.ndarray
    ) -> tuple[np.ndarray, list[bool]]:
        """Non-maximum suppression: the best of several poses of one person, without those of low confidence.

        Poses are ranked by confidence and by similarity to the prediction for a tracked person. A pose is
        confirmed if it or one that it suppresses is.
        """
        confidence = mean_confidence(points)
        score = confidence + 0.2 * oks(points, expected).max(axis=1, initial=0.0)
        same = self._similarity(points, points) > self.config.oks_threshold
        kept: list[int] = []
        for index in np.argsort(-score, kind="stable").tolist():
            if confidence[index] < self.config.keep_confidence or visible(points[index]).sum() < MIN_SHARED:
                continue
            better = [other for other in kept if same[index, other]]
            for other in better:
                confirmed[other] = confirmed[other] or confirmed[index]
            if not better:
                kept.append(index)
        return points[kept], [confirmed[index] for index in kept]

    def _similarity(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Object keypoint similarity of every pair of poses, with or without mirroring: the larger one."""
        return np.maximum(oks(one, other), oks(one, other[:, self._mirror]))

    def _is_clear(self, track: _Track) -> bool:
        """Whether a person was in the last frame, with confidence."""
        confidence = mean_confidence(track.points[None])[0]
        return track.last == self._time and bool(confidence >= self.config.start_confidence)

    def _gains(self, points: np.ndarray, colours: Sequence[np.ndarray], time: float) -> np.ndarray:
        """Similarity of tracked people (rows) and candidates (columns); 0 where they cannot be the same."""
        gains = np.zeros((len(self._tracks), len(points)))
        for row, track in enumerate(self._tracks):
            expected, gap = track.predict(time), time - track.last
            box = keypoint_box(expected)
            for column, candidate in enumerate(points):
                candidate_box = keypoint_box(candidate)
                reach = diagonal(box) * (0.25 + 0.75 * min(gap, 1.0))
                distance = np.linalg.norm(_centre(box) - _centre(candidate_box)) / reach
                ratio = diagonal(candidate_box) / diagonal(box)
                if distance > 1.5 or not 0.5 < ratio < 2.0:
                    continue
                gains[row, column] = (
                    oks(expected[None], candidate[None])[0, 0]
                    + iou(box[None], candidate_box[None])[0, 0]
                    + np.exp(-(distance**2) / 2)
                    + 1.5 * appearance_similarity(track.appearance, colours[column])
                    + 0.3 * min(track.last - track.first, 1.0)  # a tie goes to the person tracked for longer
                )
        return gains

    def _start(self, points: np.ndarray, colours: np.ndarray, time: float) -> None:
        """Start a track, unless the confidence is low or the pose too similar to that of a present person."""
        present = [track.points for track in self._tracks if track.last == time]
        if mean_confidence(points[None])[0] < self.config.start_confidence:
            return
        if (
            present
            and self._similarity(points[None], np.array(present)).max() > 0.6 * self.config.oks_threshold
        ):
            return
        self._serials += 1
        track = _Track(self._serials, points, time, time, appearance=colours, last_confirmed=time)
        self._tracks.append(track)

    def _present(self, time: float) -> list[TrackedPerson]:
        """The people in this frame; those tracked for `min_duration` get a number."""
        present = [track for track in self._tracks if track.last == time]
        for track in present:
            lasted = time - track.first >= self.config.min_duration
            if not track.number and track.frames > 1 and lasted:
                self._numbers += 1
                track.number = self._numbers
        return [TrackedPerson(track.serial, track.number, track.points) for track in present]


def _centre(box: Float[np.ndarray, " 4"]) -> Float[np.ndarray, " 2"]:
    return (box[:2] + box[2:]) / 2
