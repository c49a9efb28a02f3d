"""The open benchmark: freely available motion capture, projected into Human3.6M's cameras.

``open_benchmark.json`` beside this file lists every clip of every split of version 1, and
``open_benchmark_2.json`` those of version 2, which has more people and movements. No subject, clip or trial
is in both training and test: training is on CMU subjects and test on other CMU subjects (from recordings that
the training archives do not draw on) and on the Bandai-Namco dataset, another studio with other actors.
Training under domain randomisation, as for the weights in the package, draws on the CMU test subjects too
(``free_groups``); its networks are therefore tested on the other studio alone.

Version 2 is split by person as well. To version 1 it adds UI-PRMD (seven of its ten people for training, one
for validation, two for test; three repetitions of each exercise by each of them) and 14 more subjects of
CMU. Of ``cmu_actions.npz``, whose subjects' names are lost, it leaves out the clips that show people of its
validation split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from spgnet.datasets.archive import load_motion_archive
from spgnet.datasets.takes import DatasetReport, Split
from spgnet.errors import InputError
from spgnet.files import file_sha256
from spgnet.geometry.motion_clip import MotionClip

BenchmarkVersion = Literal[1, 2]
"""Versions of the benchmark: their results do not compare with each other."""
NON_COMMERCIAL = "bandai.npz"
"""The archive that may be tested on, but not be trained on for commercial use."""


def open_benchmark_facts(version: BenchmarkVersion = 1) -> dict[str, Any]:
    """The contents of ``open_benchmark.json`` or, for version 2, of ``open_benchmark_2.json``.

    They are the SHA-256 of the ``archives``, the groups of clips of each split, and, in version 1, under
    ``wild`` groups that only domain randomisation trains on.
    """
    name = "open_benchmark.json" if version == 1 else "open_benchmark_2.json"
    return json.loads(files("spgnet.datasets").joinpath(name).read_text())


def is_open_benchmark(motion: Path) -> bool:
    """Whether a folder holds an archive of the benchmark's name."""
    return any((motion / name).exists() for name in open_benchmark_facts()["archives"])


def benchmark_clips(
    motion: Path, split: Split, *, version: BenchmarkVersion = 1, trained_randomized: bool = False
) -> list[MotionClip]:
    """The captured motion of a split.

    Args:
        motion: folder of the archives.
        split: train, validation or test.
        version: of the benchmark.
        trained_randomized: of the test split, give only what randomized training does not draw on.

    Raises:
        InputError: an archive of the split is missing, broken or another one than the benchmark's.
    """
    facts = open_benchmark_facts(version)
    groups = facts[split]
    if trained_randomized and split == "test":
        groups = [group for group in groups if group["archive"] == NON_COMMERCIAL]
    return _captured(motion, groups, facts["archives"])


def check_archives(motion: Path, sums: Mapping[str, str]) -> DatasetReport:
    """Which archives are there, and which are missing or not those of their SHA-256."""
    facts, errors = [], []
    for name, sha256 in sums.items():
        try:
            clips = load_pinned_archive(motion / name, sha256)
        except InputError as error:
            errors.append(str(error))
        else:
            facts.append(f"{name}: {len(clips)} clips, {sum(map(len, clips))} frames")
    return DatasetReport(facts, errors)


def free_clips(motion: Path) -> list[MotionClip]:
    """The clips of :func:`free_groups`.

    Raises:
        InputError: an archive is missing, broken or another one than the benchmark's.
    """
    return _captured(motion, free_groups(), open_benchmark_facts()["archives"])


def free_groups() -> list[dict[str, Any]]:
    """The groups of clips that weights for any use may be trained on: all of CMU's but those of validation.

    Networks trained on them are tested on the clips of the other studio, whose licence is non-commercial.
    """
    facts = open_benchmark_facts()
    groups = facts["train"] + facts["wild"] + facts["test"]
    return [group for group in groups if group["archive"] != NON_COMMERCIAL]


def _captured(motion: Path, groups: list[dict[str, Any]], sums: Mapping[str, str]) -> list[MotionClip]:
    archives = {
        name: {clip.name: clip for clip in load_pinned_archive(motion / name, sums[name])}
        for name in dict.fromkeys(group["archive"] for group in groups)
    }
    return [replace(archives[g["archive"]][name], action=g["action"]) for g in groups for name in g["clips"]]


def load_pinned_archive(path: Path, sha256: str) -> list[MotionClip]:
    """The clips of an archive that must be the one of the given SHA-256.

    Raises:
        InputError: the file is missing, no motion archive, or another one.
    """
    clips = load_motion_archive(path)
    found = file_sha256(path)
    if found != sha256:
        raise InputError(
            f"{path}: not the archive of that name (SHA-256 {found[:12]}…, expected {sha256[:12]}…), "
            "so results would not compare"
        )
    return clips
