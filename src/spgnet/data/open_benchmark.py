"""The open benchmark: real motion capture that is free to have, seen by Human3.6M's own cameras.

``open_benchmark.json`` beside this file lists every clip of every split. No subject, clip or trial is in
both training and test: training is on CMU subjects and test on other CMU subjects (from recordings that the
training archives do not draw on) and on the Bandai-Namco dataset, another studio with other actors. Wild
training, which made the weights in the package, draws on the CMU test subjects too (``free_groups``); what it
made is tested on the other studio alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import torch

from spgnet.camera import Camera
from spgnet.data.archive import load_motion_archive
from spgnet.data.noise import DetectorNoise
from spgnet.data.procedural import procedural_clips
from spgnet.data.views import Views, film
from spgnet.data.wild import wild_views
from spgnet.data.wildness import Wildness
from spgnet.motion import MotionClip, standing_pieces
from spgnet.rigs import human36m_rig, random_rig
from spgnet.skeleton import HUMAN36M

Split = Literal["train", "validation", "test"]
Input = Literal["projected", "noisy", "wild"]
Rig = Literal["human36m", "random"]

FPS = 50.0
RADIUS = 1.5
"""Half-width of the capture space in metres; clips that leave it are cut and centred anew."""
SHORTEST = 1.0
"""Seconds; shorter pieces are dropped."""
SESSIONS: dict[Split, tuple[str, ...]] = {
    "train": ("S1", "S5", "S6", "S7", "S8"),
    "validation": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
}
"""Human3.6M sessions whose camera rig films the clips of a split, in turn."""
PROCEDURAL_CLIPS: dict[Split, int] = {"train": 210, "validation": 28, "test": 28}
WILD_SECONDS = 5.0
"""Length of the generated clips that wild training adds to captured ones."""
NON_COMMERCIAL = "bandai.npz"
"""The archive that may be tested on, but not be trained on for commercial use."""
BONE_SPREAD = 0.08
"""Standard deviation of the random bone scales of training clips; the archives hold few body shapes."""


def open_benchmark_facts() -> dict[str, Any]:
    """The benchmark as it is written: SHA-256 of the ``archives``, and for each split its groups of clips."""
    return json.loads(files("spgnet").joinpath("data/open_benchmark.json").read_text())


@dataclass(frozen=True)
class DataConfig:
    """Which data to train or evaluate on."""

    motion: Path | None = None
    """Folder of the open benchmark's motion archives; without it, motion is generated."""
    input: Input = "projected"
    """2D input: exact projections, projections with the errors of a detector, or rays of random people and
    cameras with a detector's errors and gaps (``spgnet.data.wild``; for networks on rays)."""
    rig: Rig = "human36m"
    """Who films: the four cameras of Human3.6M's sessions, or four random cameras for every clip."""
    wildness: Wildness = field(default_factory=Wildness)
    """How random people, cameras and detectors of wild training samples are; wild views to validate or test
    on are always drawn with the defaults."""
    generated: int = 640
    """Generated clips that wild training adds to captured motion, for the poses that this lacks."""

    def __post_init__(self) -> None:
        if self.generated < 0:
            raise ValueError(f"generated must not be negative, got {self.generated}")


def load_views(data: DataConfig, split: Split, *, seed: int = 0, trained_wild: bool = False) -> Views:
    """The views of a split, of real motion or, without a folder, of procedural motion.

    Args:
        data: where the motion comes from, and what the 2D input is.
        split: train, validation or test.
        seed: of headings, body shapes and noise. Results are reported for seed 0.
        trained_wild: of the captured test split, give only what wild training does not draw on.

    Raises:
        ValueError: an archive of the split is missing, broken or another one than the benchmark's.
    """
    clips = load_clips(data, split, trained_wild=trained_wild or data.input == "wild")
    if data.input == "wild":
        return wild_views([clip.resampled(FPS) for clip in clips], seed=seed)
    generator = torch.Generator().manual_seed(seed)
    filmed = list(_staged(clips, split, data.rig, generator))
    return film(filmed, noise=DetectorNoise() if data.input == "noisy" else None, seed=seed)


def load_clips(data: DataConfig, split: Split, *, trained_wild: bool = False) -> list[MotionClip]:
    """The motion of a split in the world, as it was captured or generated; see :func:`load_views`.

    Raises:
        ValueError: an archive of the split is missing, broken or another one than the benchmark's.
    """
    if data.motion is None:
        return _procedural(split)
    groups = open_benchmark_facts()[split]
    if trained_wild and split == "test":
        groups = [group for group in groups if group["archive"] == NON_COMMERCIAL]
    return _captured(Path(data.motion), groups)


def load_training_data(data: DataConfig) -> Views | list[MotionClip]:
    """What to train on: views, or for wild training the clips that samples are drawn from.

    Raises:
        ValueError: an archive is missing, broken or another one than the benchmark's.
    """
    if data.input != "wild":
        return load_views(data, "train")
    if data.motion is None:
        return _procedural("train")
    captured = [clip.resampled(FPS) for clip in _captured(Path(data.motion), free_groups())]
    if not data.generated:
        return captured
    return captured + procedural_clips(data.generated, seed=4, seconds=WILD_SECONDS, fps=FPS)


def free_groups() -> list[dict[str, Any]]:
    """The groups of clips that weights for any use may be trained on: all of CMU's but those of validation.

    Networks trained on them are tested on the clips of the other studio, whose licence is non-commercial.
    """
    facts = open_benchmark_facts()
    groups = facts["train"] + facts["wild"] + facts["test"]
    return [group for group in groups if group["archive"] != NON_COMMERCIAL]


def _captured(motion: Path, groups: list[dict[str, Any]]) -> list[MotionClip]:
    if not motion.is_dir():
        raise ValueError(
            f"{motion}: no such folder; the open benchmark needs the folder of its motion archives"
        )
    sums = open_benchmark_facts()["archives"]
    archives = {
        name: {clip.name: clip for clip in _benchmark_archive(motion / name, sums[name])}
        for name in dict.fromkeys(group["archive"] for group in groups)
    }
    return [replace(archives[g["archive"]][name], action=g["action"]) for g in groups for name in g["clips"]]


def _benchmark_archive(path: Path, sha256: str) -> list[MotionClip]:
    clips = load_motion_archive(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path}: not the open benchmark's archive (SHA-256 {found[:12]}…, expected {sha256[:12]}…), "
            "so results would not compare"
        )
    return clips


def _procedural(split: Split) -> list[MotionClip]:
    seeds: dict[Split, int] = {"train": 1, "validation": 2, "test": 3}
    return procedural_clips(PROCEDURAL_CLIPS[split], seed=seeds[split], fps=FPS)


def _staged(
    clips: list[MotionClip], split: Split, rig: Rig, generator: torch.Generator
) -> Iterator[tuple[MotionClip, Camera]]:
    """Turn every clip at random, cut it to the capture space, vary training bodies, and assign a rig."""
    sessions = cycle(SESSIONS[split])
    for clip in clips:
        angle = 2 * torch.pi * torch.rand((), generator=generator).item()
        for piece in standing_pieces(clip.resampled(FPS).turned(angle), RADIUS, SHORTEST):
            cameras = human36m_rig(next(sessions)) if rig == "human36m" else _random_rig(generator)
            if split == "train":
                piece = piece.with_bone_scales(_random_bone_scales(generator))
            yield piece, cameras


def _random_rig(generator: torch.Generator) -> Camera:
    return random_rig(4, seed=int(torch.randint(2**31, (), generator=generator)))


def _random_bone_scales(generator: torch.Generator) -> torch.Tensor:
    """A factor for every bone, the same left and right, kept between 0.75 and 1.3."""
    scale = (torch.randn(len(HUMAN36M), generator=generator) * BONE_SPREAD).exp().clamp(0.75, 1.3)
    return scale[[min(child, HUMAN36M.mirror[child]) for _, child in HUMAN36M.bones]]
