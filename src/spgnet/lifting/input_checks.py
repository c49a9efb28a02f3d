"""Checks of 2D keypoints before they are lifted: whether they can be what they are said to be."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.gaps import MIN_CONFIDENCE
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.lifting.inputs import BORDER
from spgnet.lifting.quality import Fault

_MOST_FRAMES = 1000
"""Frames that are looked at, evenly spread over the clip."""
_FEWEST = 3
"""Frames in which the keypoints of a check must be seen, for it to count."""
_NEGATIVE = 0.3
"""Share of negative coordinates up to which keypoints can be pixels; of landmarks about the hips half are."""
_UNIT = 2.0
"""Pixels exceed this; coordinates in shares of the image, or in metres, do not."""
_OUTSIDE = 0.3
"""Share of keypoints outside the image up to which its size can be right."""
_FARTHEST = {"face": 0.25, "hand": 0.2, "foot": 0.3, "head": 0.3, "middle": 0.12, "spine": 0.2}
"""Largest distances of keypoints from where they belong (:func:`_nearby`), in units of the person's size.

Of simulated video of 270 clips of people who stand, walk, lie, roll and turn over, 99.9 % are below 0.11
(hand), 0.18 (foot), 0.18 (head), 0.08 (middle) and 0.14 (spine). That of the face was not measured.
"""
_SHORTEST = {"elbow": 0.03, "wrist": 0.03, "knee": 0.1, "ankle": 0.08, "trunk": 0.12}
"""Shortest lengths that limbs (by the joint at the far end) and the trunk reach in a tenth of the frames;
99.9 % are above 0.05 (elbow), 0.07 (wrist), 0.18 (knee), 0.11 (ankle) and 0.17 (trunk)."""
_WIDE = {"hips": 0.07, "shoulders": 0.1}
"""Widths in the image, in units of the person's size, from which left and right are told apart."""
_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
_SIDES = ("left", "right")


def find_input_faults(keypoints: Keypoints) -> tuple[Fault, ...]:
    """Find the faults of one person's 2D keypoints for which no motion need be lifted.

    Whatever people do, a keypoint set has eyes near the nose, toes near the ankle, a neck near the middle of
    the shoulders, and thighs that are longer than nothing. Where that is otherwise, the keypoints are those
    of another set. Nothing else is looked for if they are not pixels of an image.
    """
    points = keypoints.points[:: max(1, len(keypoints) // _MOST_FRAMES)].astype(np.float64)
    sure = np.isfinite(points[..., :2]).all(axis=-1) & (points[..., 2] >= MIN_CONFIDENCE)
    if not sure.any():
        return ()
    coordinates = points[..., :2][sure]
    if (coordinates < 0).mean() > _NEGATIVE or (np.abs(coordinates) <= _UNIT).mean() > 0.5:
        return ("not_image_coordinates",)
    faults: list[Fault] = []
    margin = BORDER * max(keypoints.image_size)
    inside = (coordinates >= -margin) & (coordinates <= np.array(keypoints.image_size) + margin)
    if (~inside.all(axis=-1)).mean() > _OUTSIDE:
        faults.append("outside_image")
    body = _Body(np.where(sure[..., None], points[..., :2], np.nan), keypoints.keypoint_set)
    if body.is_of_another_set():
        faults.append("wrong_keypoint_set")
    elif body.faces_two_ways():
        faults.append("left_right_exchanged")
    return tuple(faults)


class _Body:
    """Keypoints in the image by their names.

    Args:
        pixels: [frames, keypoints, 2], NaN where missing.
        keypoint_set: what they are said to be.
    """

    def __init__(self, pixels: np.ndarray, keypoint_set: KeypointSetName) -> None:
        self.pixels, self.names = pixels, KEYPOINT_NAMES[keypoint_set]
        seen = np.isfinite(pixels)
        low = np.where(seen, pixels, np.inf).min(axis=1)
        high = np.where(seen, pixels, -np.inf).max(axis=1)
        sizes = (high - low).max(axis=-1)
        self.sizes = np.where(sizes > 0, sizes, np.nan)
        known = self.sizes[np.isfinite(self.sizes)]
        self.size = float(np.percentile(known, 90)) if len(known) else 1.0

    def at(self, *names: str) -> Float[np.ndarray, "frames 2"]:
        """The middle of some keypoints in every frame, NaN where one is missing."""
        return self.pixels[:, [self.names.index(name) for name in names]].mean(axis=1)

    def is_of_another_set(self) -> bool:
        """Whether a keypoint is far from where it belongs, or a limb has no length."""
        far = (
            _typical(np.linalg.norm(self.at(name) - self.at(*near), axis=-1) / self.sizes, 50.0, 0.0)
            > _FARTHEST[kind]
            for name, kind, near in _nearby(self.names)
            if not self._repeats_another(name)
        )
        return (
            any(far) or any(self._length(*ends) < _SHORTEST[ends[1]] for ends in _LIMBS) or self._no_trunk()
        )

    def _repeats_another(self, name: str) -> bool:
        """Whether a keypoint is exactly where another one is: files that lack one repeat another instead."""
        index = self.names.index(name)
        pixels = self.pixels[np.isfinite(self.pixels[:, index]).all(axis=-1)]
        others = np.delete(pixels, index, axis=1)
        repeated = (others == pixels[:, index, None]).all(axis=-1).any(axis=1)
        return bool(repeated.sum() > 0.9 * len(repeated))

    def _length(self, start: str, end: str) -> float:
        """A limb's length in a tenth of the frames; that of the side on which it is longer."""
        lengths = [
            _typical(
                np.linalg.norm(self.at(f"{side}_{start}") - self.at(f"{side}_{end}"), axis=-1), 90.0, np.inf
            )
            for side in _SIDES
        ]
        return max(lengths) / self.size

    def _no_trunk(self) -> bool:
        ends = (self.at(*(f"{side}_{joint}" for side in _SIDES)) for joint in ("shoulder", "hip"))
        across = np.linalg.norm(np.subtract(*ends), axis=-1)
        return _typical(across, 90.0, np.inf) / self.size < _SHORTEST["trunk"]

    def faces_two_ways(self) -> bool:
        """Whether left and right of the hips are on the other sides than those of the shoulders."""
        hips, shoulders = (
            self.at(f"left_{joint}") - self.at(f"right_{joint}") for joint in ("hip", "shoulder")
        )
        wide = (np.linalg.norm(hips, axis=-1) > _WIDE["hips"] * self.size) & (
            np.linalg.norm(shoulders, axis=-1) > _WIDE["shoulders"] * self.size
        )
        opposite = ((hips * shoulders).sum(axis=-1) < 0)[wide]
        return len(opposite) >= _FEWEST and float(opposite.mean()) > 0.8


def _typical(values: Float[np.ndarray, " frames"], percentile: float, otherwise: float) -> float:
    """A percentile of the values that are known, or another value if these are too few."""
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percentile)) if len(known) >= _FEWEST else otherwise


def _nearby(names: tuple[str, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Keypoints of a set, what they are part of, and those whose middle they are near."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for name in names:
        side, _, part = name.partition("_")
        if (side in _SIDES and part.startswith(("eye", "ear"))) or side == "mouth":
            found.append((name, "face", ("nose",)))
        elif part in ("pinky", "index", "thumb"):
            found.append((name, "hand", (f"{side}_wrist",)))
        elif part in ("big_toe", "small_toe", "heel", "foot_index"):
            found.append((name, "foot", (f"{side}_ankle",)))
        elif name in ("head", "head_top"):
            found.append((name, "head", ("nose",)))
        elif name in ("pelvis", "hip", "mid_hip"):
            found.append((name, "middle", ("left_hip", "right_hip")))
        elif name in ("neck", "thorax"):
            found.append((name, "middle", ("left_shoulder", "right_shoulder")))
        elif name == "spine":
            found.append((name, "spine", ("pelvis", "thorax")))
    return found
