"""Model cards: size, cost, receptive field, budget and results of the recipes, and the command of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from spgnet.evaluation import markdown_table
from spgnet.models import LiftingNetwork, build_model
from spgnet.reproduction.methods import METHODS
from spgnet.reproduction.tables import input_label, mean_of_seeds, seed_scores
from spgnet.training.recipes import RECIPE_DESCRIPTIONS, RECIPES, TrainConfig

INTRODUCTION = """# Model cards

`python scripts/results_page.py` writes this page: a line for each recipe of `spgnet train`, and for each
method of `spgnet reproduce … --size full` that has been run. MFLOP are millions of floating-point operations
(two for a multiplication with an addition) for each further frame of a sequence, without its mirror image.
The budget is the number of output frames that a run trains on; without one, an epoch has every frame.

"""


def model_cards(results: Sequence[dict[str, Any]]) -> str:
    """The page, with the accuracy of what is in some results of ``spgnet reproduce``."""
    header = ["recipe", "what", "weights [M]", "J", "MFLOP per frame", "budget [M frames]", "command"]
    lines = [
        [f"`{name}`", RECIPE_DESCRIPTIONS[name], *_facts(recipe), f"`spgnet train {name}`"]
        for name, recipe in RECIPES.items()
    ]
    recipes = markdown_table(header, lines, text=(0, 1, 6))
    return INTRODUCTION + recipes + _measured(results)


def _measured(results: Sequence[dict[str, Any]]) -> str:
    """The methods of the full size, with their results."""
    lines: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if result["size"] != "full":
            continue
        command = f"`spgnet reproduce {result['artefact']} --data open --size full`"
        for run in result["runs"]:
            key, input_2d = run["method"], run["seen"]
            if key not in METHODS or (key, input_2d) in lines:
                continue
            seeds = len(seed_scores(result, key, input_2d, "mpjpe"))
            scores = [mean_of_seeds(result, key, input_2d, metric) for metric in ("mpjpe", "p_mpjpe")]
            facts = _facts(METHODS[key].full)
            about = [METHODS[key].name, input_label(result, input_2d)]
            lines[key, input_2d] = [*about, *facts, str(seeds), *scores, command]
    if not lines:
        return ""
    header = [
        "method",
        "2D",
        "weights [M]",
        "J",
        "MFLOP per frame",
        "budget [M frames]",
        "seeds",
        "P1 [mm]",
        "P2 [mm]",
        "command",
    ]
    return "\n## At full size\n\n" + markdown_table(header, list(lines.values()), text=(0, 1, 9))


def _facts(recipe: TrainConfig) -> list[str]:
    """Weights, receptive field, cost and budget, as text."""
    model = build_model(recipe.model).eval()
    weights = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    steps = recipe.steps_per_epoch
    budget = "–" if steps is None else f"{recipe.epochs * steps * recipe.batch_size / 1e6:.1f}"
    return [f"{weights:.2f}", str(model.receptive_field), f"{count_flops(model) / 1e6:.1f}", budget]


@torch.no_grad()
def count_flops(model: LiftingNetwork) -> float:
    """Floating-point operations for each further frame of a sequence, by a network in evaluation mode."""

    def count(frames: int) -> int:
        sequence = torch.zeros(1, frames + model.receptive_field - 1, 17, model.input_channels)
        with FlopCounterMode(display=False) as counter:
            model(sequence, dense=True)
        return counter.get_total_flops()

    return (count(128) - count(64)) / 64
