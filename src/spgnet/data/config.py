"""Which data a network is trained or evaluated on, as a configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from spgnet.datasets.open_benchmark import BenchmarkVersion
from spgnet.errors import InputError
from spgnet.synthetic.domain_randomization import DomainRandomization

Input = Literal["projected", "noisy", "detected", "randomized"]
Target = Literal["input", "exact"]
Rig = Literal["human36m", "random"]


@dataclass(frozen=True)
class DataConfig:
    """Which data to train or evaluate on.

    Raises:
        InputError: a value is out of its range, or two do not go together.
    """

    motion: Path | None = None
    """Folder of motion capture, which virtual cameras record: the open benchmark's archives, or your own BVH,
    ASF/AMC or archive files (docs/datasets.md); without it, motion is generated."""
    benchmark: BenchmarkVersion = 1
    """Version of the open benchmark, where the motion is its archives (docs/open_benchmark.md)."""
    takes: Path | None = None
    """Recorded takes, with their own cameras, instead of motion: Human3.6M, HumanEva-I, MPI-INF-3DHP, or
    your own take files (docs/datasets.md)."""
    input: Input = "projected"
    """2D input: exact projections, projections with the errors of a detector, what a detector saw in recorded
    takes, or domain randomisation: rays of random people and cameras with a detector's errors and gaps
    (for networks on rays)."""
    detector: str = "cpn_ft_h36m_dbb"
    """Whose detections, for the input "detected": the name in data_2d_h36m_NAME.npz, or in your own files."""
    target: Target = "input"
    """What the re-projected pose is compared with in training: the 2D input, or the exact projection of the
    true pose; of randomized samples it is always the latter."""
    cameras: int | None = None
    """Train on this many of the cameras of each clip or take, the first ones; by default on all."""
    labels: float = 1.0
    """Share of the training motion whose 3D is used; the rest joins training as 2D alone."""
    subjects: tuple[str, ...] = ()
    """People to train on, by their names in the data; by default, all of the training split."""
    actions: tuple[str, ...] = ()
    """Actions to train and validate on, by their names in the data; by default, all."""
    validation_subjects: tuple[str, ...] = ()
    """People of the training split who are held out to validate on; by default, the data's own validation
    split is used, where there is one."""
    rig: Rig = "human36m"
    """The cameras of motion: the four of Human3.6M's sessions, or four random ones for every clip."""
    randomization: DomainRandomization = field(default_factory=DomainRandomization)
    """How random people, cameras and detectors of randomized training samples are; randomized data to
    validate or test on are always drawn with fixed ones."""
    by_movement: bool = False
    """Draw randomized training samples of the motion archives by source and kind of movement, not by frame,
    and validate on every kind alike, on people who are not trained on (``spgnet.datasets.movements``)."""
    generated: int = 640
    """Generated clips that randomized training adds to captured motion, for the poses that this lacks."""

    def __post_init__(self) -> None:
        errors = []
        if self.generated < 0:
            errors.append(f"generated must not be negative, got {self.generated}")
        if self.cameras is not None and self.cameras < 1:
            errors.append(f"cameras must be at least 1, got {self.cameras}")
        if not 0 < self.labels <= 1:
            errors.append(f"labels must be a share in (0, 1], got {self.labels}")
        if self.takes is not None and self.motion is not None:
            errors.append("give either motion or takes")
        if self.takes is None and self.input == "detected":
            errors.append('the input "detected" needs recorded takes')
        if self.input == "randomized" and (self.takes is not None or self.labels < 1):
            errors.append("randomized samples are drawn from motion, all of it with labels")
        if self.input == "randomized" and (self.subjects or self.actions or self.validation_subjects):
            errors.append("subjects, actions and validation_subjects are not for randomized samples")
        if both := sorted({*self.subjects} & {*self.validation_subjects}):
            errors.append(f"{', '.join(both)} cannot be trained and validated on")
        if errors:
            raise InputError("; ".join(errors))
