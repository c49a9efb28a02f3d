"""Put the best weights of a run into the package, with their entry in the manifest.

python scripts/ship_weights.py runs/randomized default REAL VIDEO MOTION --detector DETECTOR

REAL and VIDEO are the folders of real_video.py and two_cameras.py, MOTION that of the motion archives.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # the figures of the manifest are theirs

import generalisation
import movements
import real_video
import two_cameras

import spgnet
from spgnet.errors import InputError
from spgnet.evaluation import metric_headings
from spgnet.files import file_sha256, read_json, write_json
from spgnet.lifting.weights import load_weights
from spgnet.training.checkpoint import Progress, load_model, save_checkpoint
from spgnet.training.recipes import TrainConfig
from spgnet.training.runs import config_to_json, read_config, read_log
from spgnet.training.weights import read_manifest

WEIGHTS = Path(spgnet.__file__).parent / "weights"
CMU_CREDIT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217."
)
BY_FRAME = {
    "data": "CMU Graphics Lab motion capture (all that the open benchmark lists but its validation split, "
    "CMU 05: its training split, its CMU test subjects, acrobatics), and generated motion",
    "licence": "CMU's data: free for research and commercial use; these weights: Apache-2.0, as the package",
    "credit": CMU_CREDIT,
}
BY_MOVEMENT = {
    "data": "CMU Graphics Lab motion capture and UI-PRMD (spgnet.datasets.movements: not CMU 05, 12, 124 and "
    "140, not UI-PRMD's s02 and s09), and generated motion",
    "licence": "CMU's data: free for research and commercial use; UI-PRMD: Open Data Commons PDDL 1.0 "
    "(public domain); these weights: Apache-2.0, as the package",
    "credit": f"{CMU_CREDIT} UI-PRMD: Vakanski, Jun, Paul, Baker, A Data Set of Human Body Movements for "
    "Physical Rehabilitation Exercises, Data 2018, 3(1), 2, doi 10.3390/data3010002.",
}
"""What runs that draw by frame, and that draw by movement, are trained on."""
COMMANDS = {
    "real_video": "python benchmarks/real_video.py REAL --weights NAME (--every 4, --live)",
    "two_cameras": "python benchmarks/two_cameras.py VIDEO REAL --weights NAME --detector DETECTOR",
    "generalisation": "python benchmarks/generalisation.py MOTION --weights NAME",
    "movements": "python benchmarks/movements.py MOTION MOTION_TEST --weights NAME",
}


@dataclass(frozen=True)
class Shipment:
    """What to ship."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    name: tyro.conf.Positional[str]
    """Name of the weights in the package."""
    real: tyro.conf.Positional[Path]
    """Folder of the clips that they are measured on."""
    video: tyro.conf.Positional[Path]
    """Folder of the videos of two cameras."""
    motion: tyro.conf.Positional[Path]
    """Folder of the motion archives."""
    motion_test: Path | None = None
    """Folder of hdm05_cuts.npz; without it, kinds of movement are not measured."""
    detector: Path | None = None
    """Folder of the two ONNX files of RTMPose; by default the package looks for them."""


def main(shipment: Shipment) -> None:
    """Copy the weights of a run into the package and write their entry in the manifest.

    Raises:
        InputError: the run was not trained on both captured and generated motion.
    """
    config, log = read_config(shipment.run), read_log(shipment.run)
    if config.data.motion is None or not config.data.generated:
        raise InputError(f"{shipment.run}: not trained on both kinds of motion that the manifest names")
    recipe = config_to_json(config)
    recipe["data"]["motion"] = "captured"
    entry = (BY_MOVEMENT if config.data.by_movement else BY_FRAME) | {
        "recipe": recipe,
        **how_trained(shipment.run),
        "validation_mpjpe_mm": round(min(entry["validation_mpjpe"] for entry in log), 1),
        "real_video": on_real_video(shipment),
        "two_cameras": on_two_cameras(shipment),
        "generalisation": on_other_people(shipment),
        "commands": COMMANDS,
    }
    if shipment.motion_test is not None:
        entry["movements"] = on_movements(shipment, shipment.motion_test)
    target = WEIGHTS / f"{shipment.name}.safetensors"
    save_checkpoint(target, config.model, Progress(), load_model(shipment.run / "best.safetensors"))
    entry["sha256"] = file_sha256(target)
    write_json(WEIGHTS / "manifest.json", read_manifest() | {shipment.name: entry})
    print(json.dumps(entry, indent=2))


def how_trained(run: Path) -> dict[str, Any]:
    """Command, commits, output frames and hours of a run, and of the run that it began with."""
    config, log, environment = read_config(run), read_log(run), read_json(run / "environment.json")
    best = min(log, key=lambda entry: entry["validation_mpjpe"])
    trained = {
        "command": command_of(environment["command"], config),
        **{key: environment[key] for key in ("commit", "resumed") if key in environment},
        "output_frames": best["step"] * config.batch_size,
        "hours": round(sum(entry["seconds"] for entry in log) / 3600, 1),
    }
    if config.initial_weights is not None and config.initial_weights.is_dir():
        trained["began_with"] = how_trained(config.initial_weights)
    return trained


def command_of(words: Sequence[str], config: TrainConfig) -> str:
    """How to train again, wherever the program, the motion and the run are."""
    where = {words[place + 1] for place, word in enumerate(words) if word == "--out"}
    kept = [word for word in words[1:] if word != "--out" and word not in where]
    return " ".join(["spgnet", *("MOTION" if word == str(config.data.motion) else word for word in kept)])


def on_real_video(shipment: Shipment) -> dict[str, Any]:
    """What ``real_video.py`` gives: the network, refined, refined with few detections, and frame by frame."""
    results: dict[str, Any] = {}
    modes = {
        "network": {"lifting": ("network",)},
        "refined": {"lifting": ("refined",)},
        "every 4": {"lifting": ("refined",), "every": 4},
        "live": {"live": True},
    }
    for name, mode in modes.items():
        rows = real_video.compared(real_video.Options(shipment.real, weights=str(shipment.run), **mode))
        ours = [row for row in rows if row[1] != "MediaPipe"]
        results[name] = {
            clip: named(real_video.HEADINGS, values) for clip, _, values in ours + real_video.means(ours)
        }
    return results


def on_two_cameras(shipment: Shipment) -> dict[str, dict[str, float]]:
    """What ``two_cameras.py`` gives, by the way of lifting."""
    options = two_cameras.Options(
        shipment.video, shipment.real, weights=(str(shipment.run),), detector=shipment.detector
    )
    found = two_cameras.measured(options)
    return {way: named(two_cameras.HEADINGS, values) for (_, way), values in found.items()}


def on_other_people(shipment: Shipment) -> dict[str, dict[str, float]]:
    """What ``generalisation.py`` gives for Bandai-Namco's motion, by the 2D input."""
    options = generalisation.Options(shipment.motion, weights=str(shipment.run))
    model, _ = load_weights(shipment.run)
    headings = metric_headings(generalisation.COLUMNS)
    results: dict[str, dict[str, float]] = {}
    for kind in generalisation.INPUTS:
        row = generalisation.compared(model, kind, options)[0]
        assert (row.origin, row.action) == ("Bandai-Namco", None)
        results[kind] = named(headings, [row.values[column] for column in generalisation.COLUMNS])
    return results


def on_movements(shipment: Shipment, motion_test: Path) -> dict[str, dict[str, dict[str, float]]]:
    """What ``movements.py`` gives: P1 and P2 of every row, by table."""
    options = movements.Options(shipment.motion, motion_test, weights=(str(shipment.run),))
    return {
        name: {
            row: named(metric_headings(("mpjpe", "p_mpjpe")), [values["mpjpe"], values["p_mpjpe"]])
            for row, (values,) in ((row, tuple(by_weights.values())) for row, by_weights in rows.items())
        }
        for name, rows in movements.measured(options).items()
    }


def named(headings: Sequence[str], values: Sequence[float | None]) -> dict[str, float]:
    return {
        heading: round(value, 1) for heading, value in zip(headings, values, strict=True) if value is not None
    }


if __name__ == "__main__":
    main(tyro.cli(Shipment))
