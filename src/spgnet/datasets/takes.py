"""Takes: recorded performances, each with its cameras, its 3D joints and the 2D joints in each camera."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.limits import FASTEST, SLOWEST

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Take:
    """One person's performance, filmed by one or several cameras at once.

    Args:
        name: unique within its data set.
        subject: who moves.
        action: what they do; results are grouped by it.
        fps: frames per second.
        cameras: the cameras, a batch of shape [cameras].
        joints: the 17 Human3.6M joints in metres, world frame (z up); None if the motion is not known, in
            which case the take is unlabelled training data.
        detections: 2D joints in pixels, for every camera and frame, by the name of the detector; a third
            column is its confidence in each.
        unmeasured_joints: names of the joints that the data set lacks, whose positions are guesses; they are
            not evaluated.
        eval_mask: which frames are evaluated; None: all. The others are only input.

    Raises:
        InputError: shapes do not agree, a value is not finite, no frame is evaluated, or there are neither
            3D nor 2D joints.
    """

    name: str
    subject: str
    action: str
    fps: float
    cameras: Camera
    joints: Float[Tensor, "frames 17 3"] | None
    detections: Mapping[str, Float[Tensor, "cameras frames 17 _"]] = field(default_factory=dict)
    unmeasured_joints: tuple[str, ...] = ()
    eval_mask: Bool[Tensor, " frames"] | None = None

    def __post_init__(self) -> None:
        errors = list(self._errors())
        if errors:
            raise InputError(f"take {self.name!r}: {'; '.join(errors)}")

    def __len__(self) -> int:
        """The number of frames."""
        if self.joints is not None:
            return len(self.joints)
        return next(iter(self.detections.values())).shape[1]

    def _errors(self) -> list[str]:
        if self.joints is None and not self.detections:
            return ["it has neither 3D joints nor 2D detections"]
        errors, cameras = [], len(self.cameras.focal)
        if not SLOWEST <= self.fps <= FASTEST:
            errors.append(f"fps is {self.fps:g}, expected a positive number from {SLOWEST:g} to {FASTEST:g}")
        if self.joints is not None:
            if self.joints.ndim != 3 or self.joints.shape[1:] != (len(HUMAN36M), 3) or not len(self.joints):
                return [f"joints have shape {tuple(self.joints.shape)}, expected [frames, 17, 3]"]
            errors += _not_finite("joints", self.joints)
        for name, pixels in self.detections.items():
            if pixels.ndim != 4 or not pixels.numel():
                return [
                    *errors,
                    f"detections {name!r} have shape {tuple(pixels.shape)}, expected 4 dimensions",
                ]
            expected = (cameras, len(self), len(HUMAN36M), 2)
            if pixels.shape not in (expected, (*expected[:3], 3)):
                errors.append(
                    f"detections {name!r} have shape {tuple(pixels.shape)}, expected {expected}, or with "
                    "confidence 3 at the end"
                )
            errors += _not_finite(f"detections {name!r}", pixels)
        if self.eval_mask is not None and self.eval_mask.shape != (len(self),):
            errors.append(f"eval_mask has shape {tuple(self.eval_mask.shape)}, expected {(len(self),)}")
        elif self.eval_mask is not None and not bool(self.eval_mask.any()):
            errors.append("no frame is evaluated")
        return errors


def _not_finite(what: str, values: Tensor) -> list[str]:
    broken = (~values.isfinite()).flatten(-2).any(dim=-1)
    if not bool(broken.any()):
        return []
    first = int(broken.nonzero()[0, -1])
    return [f"{what} hold NaN or infinity in {int(broken.sum())} frames, the first is frame {first}"]


class DatasetReport(NamedTuple):
    """The contents of a data set and its errors.

    Attributes:
        facts: the contents, one line each.
        errors: one line each; empty if the data set can be used.
    """

    facts: list[str]
    errors: list[str]


class DatasetFormat(NamedTuple):
    """A data set's files, and how to read them.

    Attributes:
        name: as its authors call it.
        recognises: whether a path (a file or a folder) looks like it.
        load: the takes of a split, with the 2D joints of the named detector (or without 2D if None). An
            empty list where the data set has no such split. Raises a one-line InputError that names the file
            and its errors; if it lacks the detector, one that lists those that it has.
        check: a report of the contents and of all errors.
        frames: of a whole split in all cameras, where the field reports their number.
        missing: what a split lacks, one line each, given the names of its takes.
    """

    name: str
    recognises: Callable[[Path], bool]
    load: Callable[[Path, Split, str | None], list[Take]]
    check: Callable[[Path], DatasetReport]
    frames: Mapping[Split, int] = MappingProxyType({})
    missing: Callable[[Split, Collection[str]], list[str]] = lambda split, names: []
