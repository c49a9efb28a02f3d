"""Reproducing a table or figure: missing runs are trained, all are evaluated, and the results are written."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from spgnet.datasets.open_benchmark import is_open_benchmark
from spgnet.errors import InputError
from spgnet.files import write_json, write_text
from spgnet.reproduction.charts import new_figure
from spgnet.reproduction.config import ReproduceConfig
from spgnet.reproduction.figure_data import bone_length_data, occlusion_data
from spgnet.reproduction.figures import draw_figures
from spgnet.reproduction.tables import report
from spgnet.training.experiments import RunCallback, run_experiments
from spgnet.training.runs import git_commit


def reproduce(
    config: ReproduceConfig, *, on_progress: RunCallback = lambda run, entry: None
) -> tuple[str, list[Path]]:
    """Train the runs that are missing, evaluate all, and write the results.

    Args:
        config: what to reproduce, and the data.
        on_progress: called with a run's name and a line of its log, or its results.

    Returns:
        The report in Markdown, and the files that were written: the report, the results as JSON with every
        run's command, commit and seed, and the pictures of a figure.

    Raises:
        KeyboardInterrupt: training was stopped, after a checkpoint.
        InputError: data are missing or broken, or a folder holds runs of another configuration.
    """
    if config.motion is not None and config.motion.is_dir() and not is_open_benchmark(config.motion):
        raise InputError(
            f"{config.motion}: not the open benchmark's archives; "
            "motion of your own can be trained on with spgnet train"
        )
    if config.definition.pictures:
        new_figure(1.0, 1.0)  # a missing matplotlib is reported now, and not after hours of training
    runs = config.runs()
    experiments = [config.experiment(*run) for run in runs]
    results = run_experiments(
        experiments, jobs=config.jobs, accelerator=config.accelerator, on_progress=on_progress
    )
    result: dict[str, Any] = {
        "artefact": config.artefact,
        "motion": config.motion_kind,
        "size": config.network_size,
        "command": shlex.join(["spgnet", *sys.argv[1:]]),
        "commit": git_commit(),
        "runs": [
            {"method": method, "seen": input_2d, "seed": seed, **each}
            for (method, input_2d, seed), each in zip(runs, results, strict=True)
        ],
    }
    if config.artefact == "figure5":
        result["bones"] = bone_length_data(config)
    if config.artefact == "figure6":
        result["hidden"] = occlusion_data(config)
    stem = config.out / f"{config.artefact}-{config.motion_kind}-{config.network_size}"
    files = [stem.with_name(stem.name + ending) for ending in (".md", ".json")]
    text = report(result)
    write_text(files[0], text)
    write_json(files[1], result)
    return text, files + draw_figures(result, stem)
