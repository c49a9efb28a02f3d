"""Paired tests of the difference of two methods, over clips and over seeds.

Ranges of seeds that overlap say little, since the methods of a pair share their data, order of samples and
test clips. So differences are taken clip by clip and seed by seed:

- Over clips: Wilcoxon's signed-rank test of each clip's difference, averaged over the seeds. It asks whether
  these trained networks differ beyond the choice of test clips.
- Over seeds: Student's paired t test of each seed's difference, averaged over the clips, from three seeds on.
  It asks whether training again would show the same.

A difference is called significant if both are below :data:`LEVEL`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import ttest_rel, wilcoxon

LEVEL = 0.05
"""Significance level: a difference counts if one as large would arise by chance less often than this."""
_LEAST_SEEDS, _LEAST_CLIPS = 3, 6
"""The fewest seeds and clips that are tested."""


@dataclass(frozen=True)
class PairedTest:
    """The difference of two methods in a metric: the first minus the reference.

    Args:
        difference: mean over clips and seeds, in the metric's unit.
        of_seeds: mean over the clips, for each seed.
        clips: number of clips.
        better: share of the clips on which the first has the lower error.
        p_clips: probability of differences as large by chance of the clips; None if they are too few.
        p_seeds: by chance of the seeds; None if they are fewer than three.
    """

    difference: float
    of_seeds: tuple[float, ...]
    clips: int
    better: float
    p_clips: float | None
    p_seeds: float | None

    @property
    def significant(self) -> bool | None:
        """Whether the difference is neither by chance of the clips nor of the seeds; None if not tested."""
        if self.p_clips is None or self.p_seeds is None:
            return None
        return max(self.p_clips, self.p_seeds) < LEVEL


def paired_test(
    first: Mapping[int, Mapping[str, float]], reference: Mapping[int, Mapping[str, float]]
) -> PairedTest | None:
    """Test the difference of two methods.

    Args:
        first: error of each clip, by seed.
        reference: that of the other method.

    Returns:
        The test over the seeds and the clips that both have; None if there are none.
    """
    seeds = sorted(first.keys() & reference.keys())
    if not seeds:
        return None
    clips = sorted(set.intersection(*(set(each[seed]) for each in (first, reference) for seed in seeds)))
    if not clips:
        return None
    errors = np.array(
        [[[each[seed][clip] for clip in clips] for seed in seeds] for each in (first, reference)]
    )
    differences = errors[0] - errors[1]
    of_clips, of_seeds = differences.mean(axis=0), differences.mean(axis=1)
    p_clips = p_seeds = None
    if len(clips) >= _LEAST_CLIPS:
        p_clips = _probability(wilcoxon(of_clips)) if of_clips.any() else 1.0
    if len(seeds) >= _LEAST_SEEDS:
        means = errors.mean(axis=2)
        p_seeds = _probability(ttest_rel(means[0], means[1])) if of_seeds.any() else 1.0
    return PairedTest(
        difference=float(differences.mean()),
        of_seeds=tuple(map(float, of_seeds)),
        clips=len(clips),
        better=float((of_clips < 0).mean()),
        p_clips=p_clips,
        p_seeds=p_seeds,
    )


def _probability(result: Any) -> float:
    """The p value of one of scipy's tests."""
    return float(result.pvalue)
