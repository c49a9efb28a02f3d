"""How far a lifted motion can be believed: figures, and the faults that they show (docs/quality.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from spgnet.errors import InputError

Fault = Literal[
    "not_image_coordinates",
    "outside_image",
    "wrong_keypoint_set",
    "poor_reprojection",
    "left_right_exchanged",
    "hips_never_seen",
    "many_rejected",
    "upside_down",
    "head_left",
    "head_right",
    "inhuman_bones",
    "below_floor",
]
"""What can be wrong with a motion or with the 2D keypoints that it was lifted from."""
FAULTS: tuple[Fault, ...] = get_args(Fault)
UNBELIEVABLE: frozenset[Fault] = frozenset({"not_image_coordinates", "wrong_keypoint_set"})
"""Faults with which nothing in the motion can be believed."""

_SENTENCES: dict[Fault, str] = {
    "not_image_coordinates": (
        "the keypoints are not image coordinates (they lie around the origin, or all within 2 pixels of it): "
        "give 2D keypoints in pixels, such as MediaPipe's pose_landmarks and not its pose_world_landmarks"
    ),
    "outside_image": (
        "many keypoints are outside the image: check the image size (width, height) and that they are pixels "
        "of this video"
    ),
    "wrong_keypoint_set": (
        "the keypoints are not those of the keypoint set that they are read as (parts of the body are in "
        "impossible places): check the set and the order of the keypoints"
    ),
    "poor_reprojection": (
        "no human pose fits the 2D keypoints (joints are {reprojection:.0%} of the person's size off in the "
        "image, the worst {worst_reprojection:.0%}): check the keypoint set, the camera and the image size"
    ),
    "left_right_exchanged": (
        "the hips face the other way than the shoulders: left and right are exchanged in the legs or in the "
        "arms; check the order of the keypoints"
    ),
    "hips_never_seen": (
        "the hips are never seen, so that place, size and lower body are guesses: film the hips, too"
    ),
    "many_rejected": (
        "{rejected:.0%} of the detected joints are in impossible places and were left out: check the "
        "detector, or whether people are mixed up"
    ),
    "upside_down": (
        "the person is upside down: if the video is, try --rotate 180; if y points up in the keypoints, let "
        "it point down"
    ),
    "head_left": (
        "the person is on their side, the head to the left: if they are upright in fact, try --rotate 90"
    ),
    "head_right": (
        "the person is on their side, the head to the right: if they are upright in fact, try --rotate 270"
    ),
    "inhuman_bones": (
        "the body does not have human proportions (a bone is {proportions:.1f} times too long or too short): "
        "check the keypoint set and the camera"
    ),
    "below_floor": (
        "the person is {depth:.1f} m below the floor of the camera's calibration: check its place and units"
    ),
}


@dataclass(frozen=True)
class Quality:
    """What was measured on a motion, and what is wrong with it.

    Args:
        seen: share of the 17 joints, over all frames, that were seen.
        hips_seen: share of the frames with a person in which both hips were seen.
        reprojection: median distance in the image between a joint that was seen and the lifted joint, in
            units of the person's size; None if no joint was seen.
        worst_reprojection: the same median for the joint for which it is largest.
        rejected: share of the detected joints that were rejected; None if not checked.
        height: estimated standing height in metres.
        proportions: factor by which the length of a limb or the trunk differs most from that of an average
            human of the same size; 1 is average.
        trunk_twist: median angle between the lines of the hips and the shoulders about the trunk, in degrees.
        upright: share of the frames in which the head is above the feet in the image, of those in which both
            were seen; None if that is never.
        lowest: height in metres of the lowest joint above the floor (5th percentile of the frames); None if
            the floor is not known.
        faults: what is wrong, the most serious first.
    """

    seen: float
    hips_seen: float
    reprojection: float | None
    worst_reprojection: float | None
    rejected: float | None
    height: float
    proportions: float
    trunk_twist: float
    upright: float | None
    lowest: float | None
    faults: tuple[Fault, ...] = ()

    @property
    def believable(self) -> bool:
        """Whether anything in the motion can be believed."""
        return not UNBELIEVABLE.intersection(self.faults)

    def warnings(self) -> list[str]:
        """A sentence in plain words for each fault."""
        figures = {name: 0.0 if value is None else value for name, value in self.figures().items()}
        figures["depth"] = -figures["lowest"]
        return [_SENTENCES[fault].format(**figures) for fault in self.faults]

    def figures(self) -> dict[str, float | None]:
        """All but the faults, by name."""
        return {name: getattr(self, name) for name in _FIGURES}


_FIGURES = tuple(field.name for field in fields(Quality) if field.name != "faults")
_ALWAYS = tuple(field.name for field in fields(Quality) if field.type == "float")


def describe_faults(faults: Sequence[Fault]) -> list[str]:
    """A sentence for each fault that 2D keypoints show by themselves."""
    return [_SENTENCES[fault] for fault in faults]


def quality_entries(quality: Quality) -> dict[str, Any]:
    """Figures and faults as plain values by the keys of a motion file; figures that are None are omitted."""
    figures = {f"quality_{name}": value for name, value in quality.figures().items() if value is not None}
    return {**figures, "quality_faults": np.array(quality.faults, dtype=str)}


def parse_quality(values: Mapping[str, np.ndarray]) -> Quality | None:
    """The quality in the arrays of a motion file; None if it holds none.

    Raises:
        InputError: a figure is missing or no number, or there is no such fault.
    """
    if "quality_faults" not in values:
        return None
    if values["quality_faults"].ndim != 1:
        raise InputError("quality_faults is no list of names")
    faults = values["quality_faults"].tolist()
    found = {name: value for name in _FIGURES if (value := values.get(f"quality_{name}")) is not None}
    errors = [f"quality_faults holds {fault!r}" for fault in faults if fault not in FAULTS]
    errors += [f"it lacks quality_{name}" for name in _ALWAYS if name not in found]
    errors += [
        f"quality_{name} is no number"
        for name, value in found.items()
        if value.shape != () or value.dtype.kind not in "fiu"
    ]
    if errors:
        raise InputError("; ".join(errors))
    figures: dict[str, Any] = {name: float(found[name]) if name in found else None for name in _FIGURES}
    return Quality(**figures, faults=tuple(faults))
