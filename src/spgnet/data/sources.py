"""Where training and evaluation data come from: motion under virtual cameras, or recorded takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, groupby
from pathlib import Path

import torch

from spgnet.data.config import DataConfig, Rig
from spgnet.data.dataset import PoseDataset, choose_sequences, comes_near, project_clips, project_takes
from spgnet.data.samples import randomized_dataset
from spgnet.data.training_data import TrainingData
from spgnet.datasets.formats import FORMATS, find_format
from spgnet.datasets.mocap import check_mocap_folder, is_mocap_folder, load_mocap_folder
from spgnet.datasets.movements import (
    ADDED_ARCHIVES,
    GENERATED_KINDS,
    GENERATED_WEIGHTS,
    has_added_archives,
    training_groups,
    validation_clips,
)
from spgnet.datasets.open_benchmark import (
    benchmark_clips,
    check_archives,
    free_clips,
    is_open_benchmark,
    open_benchmark_facts,
)
from spgnet.datasets.takes import DatasetReport, Split
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.motion_clip import MotionClip, split_to_space
from spgnet.geometry.rigs import human36m_rig, random_rig
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.detector_noise import OPEN_BENCHMARK_NOISE, DetectorNoise
from spgnet.synthetic.domain_randomization import REALISTIC
from spgnet.synthetic.procedural import procedural_clips

FPS = 50.0
RADIUS = 1.5
"""Half-width of the capture space in metres; clips that leave it are split, and each piece is centred."""
SHORTEST = 1.0
"""Seconds; shorter pieces are dropped."""
SESSIONS: dict[Split, tuple[str, ...]] = {
    "train": ("S1", "S5", "S6", "S7", "S8"),
    "validation": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
}
"""Human3.6M sessions whose cameras record the clips of a split, one after the other."""
BONE_SPREAD = 0.08
"""Standard deviation of the random bone scales of training clips; the archives hold few body shapes."""
PROCEDURAL_CLIPS: dict[Split, int] = {"train": 210, "validation": 28, "test": 28}
"""Generated clips of a split, where no motion is given."""
VIDEOS_PER_KIND = 50
"""Simulated videos of each kind of movement that training by movement is validated on."""
GENERATED_SECONDS = 5.0
"""Length of the generated clips that randomized training adds to captured ones."""


def load_dataset(
    data: DataConfig, split: Split, *, seed: int = 0, trained_randomized: bool = False
) -> PoseDataset:
    """The dataset of a split; that of validation is of the people who are held out for it, if any are named.

    Args:
        data: where the motion comes from, and what the 2D input is.
        split: train, validation or test.
        seed: of headings, body shapes and noise. Results are reported for seed 0.
        trained_randomized: of the open benchmark's test split, give only what randomized training does not
            draw on.

    Raises:
        InputError: a file of the split is missing or broken, or the data set has no such split.
    """
    if split == "validation" and data.validation_subjects:
        everybody = load_dataset(replace(data, validation_subjects=()), "train", seed=seed)
        return everybody.of(subjects=data.validation_subjects)
    if data.takes is not None:
        dataset, _ = _load_takes(data, data.takes, split, seed)
        if dataset is None:
            raise InputError(f"{data.takes}: has no takes with known 3D motion for the split {split!r}")
        return dataset
    if split == "validation" and _is_by_movement(data):
        assert data.motion is not None
        return _validation_by_movement(data.motion, seed)
    clips = load_clips(data, split, trained_randomized=trained_randomized or data.input == "randomized")
    if data.input == "randomized":
        if not clips:
            raise _no_clips(data, split)
        return randomized_dataset([clip.resampled(FPS) for clip in clips], seed=seed)
    captures = list(add_virtual_cameras(clips, split, data.rig, torch.Generator().manual_seed(seed)))
    if not captures:
        raise InputError(f"{data.motion}: no clip of the split {split!r} lasts a second")
    return project_clips(captures, noise=_noise(data), seed=seed)


def load_validation(data: DataConfig) -> PoseDataset | None:
    """The dataset that chooses the best epoch; None where a data set has no such split (Human3.6M).

    Raises:
        InputError: a file of the split is missing or broken.
    """
    if data.takes is None or data.validation_subjects:
        return load_dataset(data, "validation").of(actions=data.actions)
    known, _ = _load_takes(data, data.takes, "validation", seed=0)
    return known if known is None else known.of(actions=data.actions)


def load_training_data(data: DataConfig) -> TrainingData:
    """What to train on.

    Raises:
        InputError: a file is missing or broken, or the data set has no training split.
    """
    if data.input == "randomized":
        if _is_by_movement(data):
            assert data.motion is not None
            return _training_by_movement(data.motion, data.generated)
        return TrainingData(clips=_randomized_training_clips(data))
    chosen = {"subjects": data.subjects, "actions": data.actions, "but": data.validation_subjects}
    if data.takes is None:
        dataset = _first_cameras(load_dataset(data, "train").of(**chosen), data.cameras)
        return TrainingData(*dataset.with_labels(data.labels))
    known, unknown = _load_takes(data, data.takes, "train", seed=0)
    if known is None:
        raise InputError(f"{data.takes}: has no takes with known 3D motion for the split 'train'")
    known, unknown = choose_sequences((known, unknown), **chosen)
    if known is None:
        raise InputError(f"{data.takes}: has no known 3D motion of the chosen subjects and actions")
    labelled, unlabelled = _first_cameras(known, data.cameras).with_labels(data.labels)
    unknown = None if unknown is None else _first_cameras(unknown, data.cameras)
    if unlabelled is None or unknown is None:
        return TrainingData(labelled, unlabelled if unknown is None else unknown)
    return TrainingData(labelled, unlabelled + unknown)


def missing_sequences(data: DataConfig, split: Split, dataset: PoseDataset) -> list[str]:
    """What a recorded data set lacks of a split that it should have as a whole, one line each."""
    return [] if data.takes is None else find_format(data.takes).missing(split, set(dataset.names))


def _first_cameras(dataset: PoseDataset, count: int | None) -> PoseDataset:
    """The sequences by the first cameras of each clip or take; None: by all."""
    if count is None:
        return dataset
    recordings = zip(dataset.subjects, dataset.names, strict=True)
    of_recording = [list(group) for _, group in groupby(enumerate(recordings), key=lambda item: item[1])]
    return dataset.select([sequence for group in of_recording for sequence, _ in group[:count]])


def kind_of_motion(data: DataConfig) -> str:
    """What moves, in one word."""
    return "recorded" if data.takes else "captured" if data.motion else "procedural"


def whole_split(data: DataConfig, split: Split) -> tuple[str, int] | None:
    """The data set and the number of frames of its whole split, where the field reports it."""
    if data.takes is None:
        return None
    known = find_format(data.takes)
    return (known.name, known.frames[split]) if split in known.frames else None


def check_data(path: Path) -> tuple[str, DatasetReport]:
    """What a data set or a folder of motion is called, what is there, and everything that is wrong.

    Raises:
        InputError: there is nothing, or nothing that is known.
    """
    if path.is_dir() and is_open_benchmark(path):
        added = {name: sha256 for name, sha256 in ADDED_ARCHIVES.items() if (path / name).exists()}
        sums = open_benchmark_facts()["archives"] | added
        return "the open benchmark's motion archives", check_archives(path, sums)
    if is_mocap_folder(path) and not any(known.recognises(path) for known in FORMATS):
        return "motion capture", check_mocap_folder(path)
    known = find_format(path)
    return known.name, known.check(path)


def load_clips(data: DataConfig, split: Split, *, trained_randomized: bool = False) -> list[MotionClip]:
    """The motion of a split in the world, as it was captured or generated; see :func:`load_dataset`.

    Raises:
        InputError: a file of the split is missing or broken.
    """
    if data.motion is None:
        return _procedural(split)
    _check_folder(data.motion)
    if is_open_benchmark(data.motion):
        return benchmark_clips(
            data.motion, split, version=data.benchmark, trained_randomized=trained_randomized
        )
    return load_mocap_folder(data.motion, split)


def add_virtual_cameras(
    clips: list[MotionClip], split: Split, rig: Rig, generator: torch.Generator
) -> Iterator[tuple[MotionClip, Camera]]:
    """Rotate every clip at random, split it to the capture space, vary training bodies, and assign a rig.

    A random rig is drawn again where a person comes within 0.3 m of an image plane.

    Returns:
        Pieces of clips, each with the cameras of its rig, a batch of shape [4].
    """
    sessions = cycle(SESSIONS[split])
    for clip in clips:
        angle = 2 * torch.pi * torch.rand((), generator=generator).item()
        for piece in split_to_space(clip.resampled(FPS).rotated(angle), RADIUS, SHORTEST):
            cameras = human36m_rig(next(sessions)) if rig == "human36m" else _random_rig(generator)
            if split == "train":
                piece = piece.with_bone_scales(random_bone_scales(generator))
            while rig == "random" and comes_near(piece.joints, cameras):
                cameras = _random_rig(generator)
            yield piece, cameras


def _random_rig(generator: torch.Generator) -> Camera:
    return random_rig(4, seed=int(torch.randint(2**31, (), generator=generator)))


def random_bone_scales(generator: torch.Generator) -> torch.Tensor:
    """A factor for every bone, the same left and right, kept between 0.75 and 1.3."""
    scale = (torch.randn(len(HUMAN36M), generator=generator) * BONE_SPREAD).exp().clamp(0.75, 1.3)
    return scale[[min(child, HUMAN36M.mirror[child]) for _, child in HUMAN36M.bones]]


def _randomized_training_clips(data: DataConfig) -> list[MotionClip]:
    if data.motion is None:
        return _procedural("train")
    _check_folder(data.motion)
    known = is_open_benchmark(data.motion)
    captured = free_clips(data.motion) if known else load_mocap_folder(data.motion, "train")
    if not captured:
        raise _no_clips(data, "train")
    captured = [clip.resampled(FPS) for clip in captured]
    if not data.generated:
        return captured
    return captured + _generated_clips(data.generated)


def _no_clips(data: DataConfig, split: Split) -> InputError:
    return InputError(
        f"{data.motion}: has no clip for the split {split!r} (docs/datasets.md says how they are split)"
    )


def _is_by_movement(data: DataConfig) -> bool:
    """Whether the motion is the archives whose clips have kinds of movement, and these are to be told apart.

    Raises:
        InputError: they are to be, and there are the open benchmark's archives alone.
    """
    if data.motion is None or data.input != "randomized" or not data.by_movement:
        return False
    _check_folder(data.motion)
    if not has_added_archives(data.motion):
        if is_open_benchmark(data.motion):
            raise InputError(
                f"{data.motion}: training by movement needs {', '.join(ADDED_ARCHIVES)}, too; "
                "--data.no-by-movement trains on the open benchmark's archives alone"
            )
        return False
    return True


def _training_by_movement(motion: Path, generated: int) -> TrainingData:
    """Clips of every group of movements, each group drawn by its weight, and generated ones."""
    clips: list[MotionClip] = []
    weights: list[float] = []
    groups = [(group.weight, members) for group, members in training_groups(motion)]
    if generated:
        made = _generated_clips(generated)
        groups += [
            (weight, [clip for clip in made if clip.action == action])
            for action, weight in GENERATED_WEIGHTS.items()
        ]
    for weight, members in groups:
        resampled = [clip.resampled(FPS) for clip in members]
        frames = sum(map(len, resampled))
        clips.extend(resampled)
        weights.extend(weight * len(clip) / frames for clip in resampled)
    return TrainingData(clips=clips, clip_weights=weights)


def _validation_by_movement(motion: Path, seed: int) -> PoseDataset:
    """As many simulated videos of every kind of movement; their action is the kind.

    Half of the videos of a kind that has both captured and generated motion are of each.
    """
    kinds = {
        kind: [clip.resampled(FPS) for clip in clips] for kind, clips in validation_clips(motion).items()
    }
    generated: dict[str, list[MotionClip]] = {}
    for clip in procedural_clips(32, seed=2, fps=FPS):
        if clip.action in GENERATED_KINDS:
            generated.setdefault(GENERATED_KINDS[clip.action], []).append(clip)
    datasets = []
    for number, kind in enumerate(dict.fromkeys((*kinds, *generated))):
        sources = [clips for clips in (kinds.get(kind, []), generated.get(kind, [])) if clips]
        weights = [len(clip) / sum(map(len, clips)) for clips in sources for clip in clips]
        datasets.append(
            randomized_dataset(
                [clip for clips in sources for clip in clips],
                seed=seed + number,
                count=VIDEOS_PER_KIND,
                action=kind,
                randomization=REALISTIC,
                clip_weights=weights,
            )
        )
    return sum(datasets[1:], datasets[0])


def _generated_clips(count: int) -> list[MotionClip]:
    """The generated clips that randomized training adds to captured ones."""
    return procedural_clips(count, seed=4, seconds=GENERATED_SECONDS, fps=FPS)


def _load_takes(
    data: DataConfig, path: Path, split: Split, seed: int
) -> tuple[PoseDataset | None, PoseDataset | None]:
    """The sequences of takes whose 3D is known, and those of the others."""
    detector = data.detector if data.input == "detected" else None
    takes = find_format(path).load(path, split, detector)
    parts = [[take for take in takes if (take.joints is None) == unknown] for unknown in (False, True)]
    options = {"detector": detector, "noise": _noise(data), "seed": seed}
    known, unknown = (project_takes(part, **options) if part else None for part in parts)
    return known, unknown


def _noise(data: DataConfig) -> DetectorNoise | None:
    return OPEN_BENCHMARK_NOISE if data.input == "noisy" else None


def _check_folder(motion: Path) -> None:
    if not motion.is_dir():
        raise InputError(f"{motion}: no such folder; expected the open benchmark's archives or motion files")


def _procedural(split: Split) -> list[MotionClip]:
    seeds: dict[Split, int] = {"train": 1, "validation": 2, "test": 3}
    return procedural_clips(PROCEDURAL_CLIPS[split], seed=seeds[split], fps=FPS)
