"""How well do weights lift kinds of movement, people who were not trained on, and what rolled cameras see?

All on simulated video (``spgnet.data.samples.randomized_dataset``): random bodies, cameras and a detector's
errors and gaps. Three tables:

- validation: what the recipe ``randomized`` chooses its epoch by, kind by kind;
- people: UI-PRMD's two people who are held out, and HDM05's clips (share-alike licence: for testing alone),
  in level cameras that show the whole person;
- roll: the same people of UI-PRMD and the walks of validation, in cameras rolled by so many degrees.

    python benchmarks/movements.py MOTION MOTION_TEST                 # the package's weights
    python benchmarks/movements.py MOTION MOTION_TEST --weights default runs/randomized2 --json movements.json

MOTION is the folder of the motion archives, MOTION_TEST that of ``hdm05_cuts.npz``. Results are averaged with
those of the mirrored input, as in lifting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
import tyro

from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset
from spgnet.data.samples import randomized_dataset
from spgnet.data.sources import FPS, load_validation
from spgnet.datasets.archive import load_motion_archive
from spgnet.datasets.movements import HELD_OUT_PEOPLE, validation_clips
from spgnet.errors import InputError
from spgnet.evaluation import evaluate, markdown_table
from spgnet.files import write_json
from spgnet.geometry.motion_clip import MotionClip
from spgnet.lifting.weights import load_weights
from spgnet.models import LiftingNetwork
from spgnet.synthetic.domain_randomization import REALISTIC
from spgnet.training.runs import git_commit

LEVEL = replace(REALISTIC, roll=0.0, tilted=0.0, rolled=0.0, tipped=0.0, truncated=0.0)
"""Level cameras that show the whole of people who are not tipped over."""
ROLLS = (0, 10, 20, 45, 90, 180)
UIPRMD = {
    "UI-PRMD, sitting and squatting": ("m01*", "m03*", "m05*"),
    "UI-PRMD, legs": ("m02*", "m04*", "m06*"),
    "UI-PRMD, arms": ("m07*", "m08*", "m09*", "m10*"),
}
HDM05 = {
    "HDM05, lying down": ("*/lieDownFloor*",),
    "HDM05, floor and squats": ("*/depositFloor*", "*/squat*"),
    "HDM05, standing": (
        "*/elbow*",
        "*/grab*",
        "*/hop*",
        "*/jog*",
        "*/kick*",
        "*/rotate*",
        "*/sneak*",
        "*/throw*",
    ),
}


@dataclass(frozen=True)
class Options:
    """What to measure.

    Raises:
        InputError: the number of videos is not a positive multiple of 10.
    """

    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    motion_test: tyro.conf.Positional[Path]
    """Folder of hdm05_cuts.npz."""
    weights: tuple[str, ...] = ("default", "live")
    """Names of weights in the package, run folders, or safetensors files."""
    videos: int = 100
    """Simulated videos of two seconds of each row of the second and the third table."""
    json: Path | None = None
    """File to write everything to."""

    def __post_init__(self) -> None:
        if self.videos < 10 or self.videos % 10:
            raise InputError(f"videos must be a positive multiple of 10, got {self.videos}")


Rows = dict[str, dict[str, dict[str, float]]]
"""Metrics by row and by weights."""


def main(options: Options) -> None:
    tables = measured(options)
    for name, rows in tables.items():
        print(table(name, rows), end="\n\n")
    if options.json is not None:
        write_json(options.json, {"commit": git_commit(), "videos": options.videos, **tables})


def measured(options: Options) -> dict[str, Rows]:
    """The three tables."""
    networks = {name: load_weights(name)[0] for name in options.weights}
    return {
        "validation": scored(networks, validation(options.motion)),
        "people": scored(networks, people(options)),
        "roll": scored(networks, rolled_videos(options)),
    }


def validation(motion: Path) -> dict[str, PoseDataset]:
    """The validation data of the recipe, by kind of movement."""
    dataset = load_validation(DataConfig(motion=motion, input="randomized", by_movement=True))
    assert dataset is not None
    kinds = dict.fromkeys(dataset.actions)
    return {
        kind: dataset.select([number for number, action in enumerate(dataset.actions) if action == kind])
        for kind in kinds
    }


def people(options: Options) -> dict[str, PoseDataset]:
    """Simulated videos of people who are not trained on, by who and what."""
    uiprmd = [
        clip
        for part in ("correct", "incorrect")
        for clip in load_motion_archive(options.motion / f"uiprmd_{part}.npz")
        if clip.subject in HELD_OUT_PEOPLE
    ]
    hdm05 = load_motion_archive(options.motion_test / "hdm05_cuts.npz")
    chosen = {name: matching(uiprmd, patterns) for name, patterns in UIPRMD.items()}
    chosen |= {name: matching(hdm05, patterns) for name, patterns in HDM05.items()}
    return {name: videos(clips, options.videos) for name, clips in chosen.items()}


def matching(clips: Sequence[MotionClip], patterns: Sequence[str]) -> list[MotionClip]:
    """The clips whose name fits one of the patterns, as of files."""
    return [clip for clip in clips if any(fnmatchcase(clip.name, pattern) for pattern in patterns)]


def videos(clips: Sequence[MotionClip], count: int) -> PoseDataset:
    """Simulated videos in level cameras that show the whole person."""
    return randomized_dataset(
        [clip.resampled(FPS) for clip in clips], seed=0, count=count, randomization=LEVEL
    )


def rolled_videos(options: Options) -> dict[str, PoseDataset]:
    """The same videos in cameras that are rolled by each of the angles."""
    clips = validation_clips(options.motion)
    level = videos(
        [clip for kind in ("walking", "sitting and squatting", "arms") for clip in clips[kind]],
        options.videos,
    )
    return {f"{degrees} degrees": rolled(level, degrees) for degrees in ROLLS}


def rolled(dataset: PoseDataset, degrees: float) -> PoseDataset:
    """Sequences as cameras see them that are rolled about their axis; pixels are of square images."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = torch.tensor([[cos, -sin], [sin, cos]])
    middle = dataset.cameras.center[dataset.sequence_of_frames()][:, None]
    joints = torch.cat((dataset.joints[..., :2] @ turn.T, dataset.joints[..., 2:]), dim=-1)
    return replace(dataset, joints=joints, keypoints_2d=(dataset.keypoints_2d - middle) @ turn.T + middle)


def scored(networks: Mapping[str, LiftingNetwork], datasets: dict[str, PoseDataset]) -> Rows:
    """Mean metrics over the frames of every dataset, and their mean over the datasets."""
    rows = {
        row: {name: evaluate(network, dataset).mean_over_frames for name, network in networks.items()}
        for row, dataset in datasets.items()
    }
    means = {
        name: {
            metric: sum(row[name][metric] for row in rows.values()) / len(rows)
            for metric in ("mpjpe", "p_mpjpe")
        }
        for name in networks
    }
    return rows | {"mean": means}


def table(name: str, rows: Rows) -> str:
    """A Markdown table: P1 and P2 of each of the weights."""
    names = list(rows["mean"])
    headings = [f"{each}, {metric} [mm]" for each in names for metric in ("P1", "P2")]
    lines: list[list[Any]] = [
        [row, *(f"{values[each][metric]:.1f}" for each in names for metric in ("mpjpe", "p_mpjpe"))]
        for row, values in rows.items()
    ]
    return markdown_table([name, *headings], lines, text=(0,))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
