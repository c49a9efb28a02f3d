"""How the bone lengths of real people vary together: what ``spgnet.synthetic.bodies`` is fitted to.

Usage: ``python scripts/fit_bodies.py MOTION``, the folder of the motion archives. Prints the lengths of the
people that have skeletons of their own, and, at equal stature, standard deviations and correlations of the
logarithms of lengths. Stature stands for the length of leg and trunk; everybody is compared with the mean of
their source, because sources differ in what they call a joint.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from spgnet.datasets.archive import load_motion_archive
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.bodies import MEASURED_BONES

SOURCES = {
    "UI-PRMD": ("uiprmd_correct.npz",),
    "CMU": ("cmu_playground.npz", "cmu_sports.npz", "cmu_misc.npz"),
}
"""The archives whose people have skeletons of their own."""
BONE_KINDS = [HUMAN36M.joint_types[child] for _, child in HUMAN36M.bones]
UPRIGHT = ("knee", "ankle", "spine", "thorax")


def measured_people(motion: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Median bone lengths in metres, left and right averaged, of each (source, person)."""
    people = {}
    for source, archives in SOURCES.items():
        frames: dict[str, list[torch.Tensor]] = {}
        for archive in archives:
            for clip in load_motion_archive(motion / archive):
                frames.setdefault(clip.subject, []).append(HUMAN36M.bone_lengths(clip.joints)[::5])
        for person, lengths in frames.items():
            medians = torch.cat(lengths).median(dim=0).values.numpy()
            people[source, person] = {
                kind: float(medians[[kind == each for each in BONE_KINDS]].mean()) for kind in MEASURED_BONES
            }
    return people


def fit(people: dict[tuple[str, str], dict[str, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations [8] and correlations [8, 8] of the logarithms of lengths at equal stature."""
    logs = np.log([[lengths[kind] for kind in MEASURED_BONES] for lengths in people.values()])
    upright = [MEASURED_BONES.index(kind) for kind in UPRIGHT]
    logs -= np.log(np.exp(logs[:, upright]).sum(axis=1, keepdims=True))
    sources = np.array([source for source, _ in people])
    for source in set(sources):
        logs[sources == source] -= logs[sources == source].mean(axis=0)
    covariance = logs.T @ logs / (len(logs) - len(set(sources)))
    deviations = np.sqrt(np.diag(covariance))
    return deviations, covariance / np.outer(deviations, deviations)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    people = measured_people(Path(sys.argv[1]))
    rows = [
        [" ".join(who), *(f"{1000 * lengths[kind]:.0f}" for kind in MEASURED_BONES)]
        for who, lengths in people.items()
    ]
    deviations, correlations = fit(people)
    rows.append(["deviation", *(f"{value:.3f}" for value in deviations)])
    for kind, row in zip(MEASURED_BONES, correlations, strict=True):
        rows.append([kind, *(f"{value:.1f}" for value in row)])
    for cells in (
        ["lengths [mm], deviations, correlations", *MEASURED_BONES],
        ["---"] * (1 + len(MEASURED_BONES)),
        *rows,
    ):
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
