"""Put the best weights of a run into the package, with their entry in the manifest.

python benchmarks/ship_weights.py runs/wild default REAL    # REAL: the clips of real_video.py
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from real_video import HEADINGS, Options, compared

import spgnet
from spgnet.checkpoint import Progress, load_model, save_checkpoint
from spgnet.lifting.weights import manifest, sha256
from spgnet.runs import config_to_json, read_config, read_json, read_log, write_json

WEIGHTS = Path(spgnet.__file__).parent / "weights"
DATA = {
    "data": "CMU Graphics Lab motion capture (training split of the open benchmark), and generated motion",
    "licence": "CMU's data: free for research and commercial use; these weights: Apache-2.0, as the package",
    "credit": "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217.",
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


def main(shipment: Shipment) -> None:
    config, log = read_config(shipment.run), read_log(shipment.run)
    if config.data.motion is None:
        raise ValueError(f"{shipment.run}: trained on generated motion alone; the manifest says otherwise")
    best = min(log, key=lambda entry: entry["validation_mpjpe"])
    target = WEIGHTS / f"{shipment.name}.safetensors"
    save_checkpoint(target, config.model, Progress(), load_model(shipment.run / "best.safetensors"))
    environment = read_json(shipment.run / "environment.json")
    entry = DATA | {
        "recipe": config_to_json(config) | {"data": {"input": config.data.input, "motion": "captured"}},
        "command": " ".join(environment["command"]).replace(str(config.data.motion), "MOTION"),
        "commit": environment["commit"],
        "output_frames": best["step"] * config.batch_size,
        "validation_mpjpe_mm": round(best["validation_mpjpe"], 1),
        "real_video": measured(shipment),
        "sha256": sha256(target),
    }
    write_json(WEIGHTS / "manifest.json", manifest() | {shipment.name: entry})
    print(json.dumps(entry, indent=2))


def measured(shipment: Shipment) -> dict[str, Any]:
    """What ``real_video.py`` gives for the run, plain and with constant bones."""
    results: dict[str, Any] = {}
    for name, rigid in (("plain", False), ("rigid", True)):
        rows = compared(Options(shipment.real, weights=str(shipment.run), rigid=rigid))
        results[name] = {
            clip: {
                heading: round(value, 1)
                for heading, value in zip(HEADINGS, values, strict=True)
                if value is not None
            }
            for clip, method, values in rows
            if method == "spgnet"
        }
    return results


if __name__ == "__main__":
    main(tyro.cli(Shipment))
