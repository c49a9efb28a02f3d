"""How well do weights lift people and motion that they were never trained on, seen by Human3.6M's cameras?

The cameras and the 2D input are the open benchmark's (docs/open_benchmark.md): of its test split,
Bandai-Namco's clips and those of CMU's test subjects; and CMU 05, its validation split, which weights are
chosen by. The package's weights were trained on CMU's test subjects, too (what exactly stands above the
table). As in that benchmark, every joint counts as visible, since gaps are short and interpolated. Nothing
smooths the 2D input.

    python benchmarks/generalisation.py MOTION      # MOTION: the folder of the motion archives
    python benchmarks/generalisation.py MOTION --weights runs/randomized --actions --json generalisation.json
    python benchmarks/generalisation.py MOTION --clips 5      # faster: at most five clips of every action
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple, TypeVar

import torch
import tyro

from spgnet.data.config import DataConfig, Input
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import load_dataset
from spgnet.datasets.open_benchmark import open_benchmark_facts
from spgnet.datasets.takes import Split
from spgnet.errors import InputError
from spgnet.evaluation import METRICS, evaluate, markdown_table, metric_headings
from spgnet.files import file_sha256, write_json
from spgnet.lifting.weights import load_weights
from spgnet.models import LiftingNetwork
from spgnet.training.runs import git_commit
from spgnet.training.weights import read_manifest, weights_file

ORIGINS: dict[str, tuple[Split, str]] = {
    "Bandai-Namco": ("test", "bandai"),
    "CMU, test subjects": ("test", "cmu"),
    "CMU 05": ("validation", "cmu"),
}
"""Where motion comes from: the open benchmark's split, and how the names of its archives begin."""
INPUTS: tuple[Input, ...] = ("projected", "noisy")
COLUMNS = ("mpjpe", "p_mpjpe", "trajectory", "bone_deviation")
T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What to measure.

    Raises:
        InputError: a sample would hold no clip, or less than a second of it.
    """

    motion: tyro.conf.Positional[Path]
    """Folder of the open benchmark's motion archives."""
    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    clips: int | None = None
    """Clips of every action at most, evenly chosen; by default all."""
    seconds_per_clip: float | None = None
    """Seconds at most of every piece of a clip, from its middle; by default all."""
    actions: bool = False
    """Show every action, too."""
    json: Path | None = None
    """File to write every action and metric to."""

    def __post_init__(self) -> None:
        errors = [
            f"{name} must be at least 1, got {value:g}"
            for name, value in (("clips", self.clips), ("seconds_per_clip", self.seconds_per_clip))
            if value is not None and not value >= 1
        ]
        if errors:
            raise InputError("; ".join(errors))


class Row(NamedTuple):
    """The metrics of an action, means over its frames; or of several actions, means of theirs.

    Attributes:
        origin: where the motion comes from.
        action: which one; none for a mean of several.
        input: the 2D input.
        clips: how many were looked at.
        of_clips: how many there are.
        frames: frames of all sequences of the clips.
        values: every metric, by its name in ``METRICS``.
    """

    origin: str
    action: str | None
    input: Input
    clips: int
    of_clips: int
    frames: int
    values: dict[str, float]


def main(options: Options) -> None:
    model, name = load_weights(options.weights)
    rows = [row for kind in INPUTS for row in compared(model, kind, options)]
    print(caption(name, options), table(rows, actions=options.actions), sep="\n\n")
    if options.json is not None:
        write_json(options.json, about(name, options) | {"rows": [row._asdict() for row in rows]})


def compared(model: LiftingNetwork, kind: Input, options: Options) -> list[Row]:
    """The rows of every origin."""
    splits: tuple[Split, ...] = ("test", "validation")
    dataset = {split: load_dataset(DataConfig(motion=options.motion, input=kind), split) for split in splits}
    return [
        row
        for origin, (split, archives) in ORIGINS.items()
        for row in rows_of(model, dataset[split], kind, origin, actions_of(split, archives), options)
    ]


def actions_of(split: Split, archives: str) -> list[str]:
    """The actions that a split takes from archives whose names begin like this."""
    groups = open_benchmark_facts()[split]
    return [group["action"] for group in groups if group["archive"].startswith(archives)]


def rows_of(
    model: LiftingNetwork,
    dataset: PoseDataset,
    kind: Input,
    origin: str,
    actions: Sequence[str],
    options: Options,
) -> list[Row]:
    """The mean of the actions of an origin, and then each of them."""
    rows = [Row(origin, action, kind, *measured(model, dataset, action, options)) for action in actions]
    return [averaged(rows), *rows]


def measured(
    model: LiftingNetwork, dataset: PoseDataset, action: str, options: Options
) -> tuple[int, int, int, dict[str, float]]:
    """Clips of an action that were looked at, how many there are, frames, and every metric.

    (An action at a time, because the rays of a whole split at once would take 2 GB to find.)
    """
    clips = clips_of(dataset, action)
    sample = evenly(clips, options.clips)
    longest = None if options.seconds_per_clip is None else round(options.seconds_per_clip * dataset.fps)
    result = evaluate(model, chosen(dataset, [sequence for clip in sample for sequence in clip], longest))
    return len(sample), len(clips), result.frames, result.mean_over_frames


def averaged(rows: Sequence[Row]) -> Row:
    """The mean over actions, each counted alike, as the field does."""
    values = {name: mean(row.values[name] for row in rows) for name in METRICS}
    clips, of_clips, frames = (sum(counts) for counts in zip(*(row[3:6] for row in rows), strict=True))
    return Row(rows[0].origin, None, rows[0].input, clips, of_clips, frames, values)


def clips_of(dataset: PoseDataset, action: str) -> list[list[int]]:
    """The sequences of each clip of an action: of all its pieces, by all cameras."""
    clips: dict[str, list[int]] = {}
    for sequence, name in enumerate(dataset.names):
        if dataset.actions[sequence] == action:
            clips.setdefault(name.partition("@")[0], []).append(sequence)
    return list(clips.values())


def evenly(items: Sequence[T], most: int | None) -> list[T]:
    """As many of the items, evenly spread and in their order; all, if there are no more or none is named."""
    count = len(items) if most is None else min(most, len(items))
    return [items[(2 * number + 1) * len(items) // (2 * count)] for number in range(count)]


def chosen(dataset: PoseDataset, kept: Sequence[int], longest: int | None = None) -> PoseDataset:
    """Some of the sequences, and of longer ones that many frames from their middle."""
    some = dataset.select(kept)
    if longest is None:
        return some
    shorter = some.lengths.clamp(max=longest)
    starts = some.starts + (some.lengths - shorter) // 2
    ranges = zip(starts.tolist(), (starts + shorter).tolist(), strict=True)
    frames = torch.cat([torch.arange(*each) for each in ranges])
    return replace(some, joints=some.joints[frames], keypoints_2d=some.keypoints_2d[frames], lengths=shorter)


def caption(name: str, options: Options) -> str:
    """What the table shows, in a line."""
    shipped, seconds = read_manifest().get(options.weights), options.seconds_per_clip
    parts = [
        f"Weights {name}" + (f", trained on: {shipped['data']}" if shipped else ""),
        "50 frames per second; frames count once for every camera",
        *([] if seconds is None else [f"of every piece of a clip the middle {seconds:g} s at most"]),
        "means over actions",
    ]
    return "; ".join(parts) + "."


def table(rows: Sequence[Row], *, actions: bool) -> str:
    """A Markdown table of the means, and of the actions if these are wanted."""
    lines = [
        [
            row.input,
            row.origin,
            *([row.action or "mean over actions"] if actions else []),
            f"{row.clips} of {row.of_clips}",
            f"{row.frames:,}",
            *(f"{row.values[column]:.1f}" for column in COLUMNS),
        ]
        for row in rows
        if actions or row.action is None
    ]
    labels = ["input", "motion", *(["action"] if actions else [])]
    return markdown_table(
        [*labels, "clips", "frames", *metric_headings(COLUMNS)], lines, text=range(len(labels))
    )


def about(name: str, options: Options) -> dict[str, Any]:
    """What was measured, and how to measure it again."""
    arguments = {
        "weights": options.weights,
        "clips": options.clips,
        "seconds-per-clip": options.seconds_per_clip,
    }
    given = [f"--{option} {value}" for option, value in arguments.items() if value is not None]
    with as_file(weights_file(options.weights)) as path:
        sha256 = file_sha256(path)
    return {
        "weights": name,
        "sha256": sha256,
        "command": " ".join(["python benchmarks/generalisation.py MOTION", *given]),
        "commit": git_commit(),
        "rig": DataConfig().rig,
    }


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
