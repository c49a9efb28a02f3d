"""The demo: a small SPGNet from nothing, trained on generated motion, evaluated, and put to work."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from spgnet.data.open_benchmark import load_views
from spgnet.data.views import Views
from spgnet.evaluation import Evaluation, evaluate
from spgnet.figures import LiftedSequence, lift_figure, save_figure, save_lift_animation
from spgnet.models import LiftingNetwork
from spgnet.models.sequence import lift_sequence
from spgnet.recipes import RECIPES, TrainConfig
from spgnet.runs import load_run, write_text
from spgnet.training import Report, train


@dataclass(frozen=True)
class DemoConfig:
    """What the demo does."""

    out: Path = Path("demo")
    """Folder to write to; a run that it holds from an earlier demo is replaced."""
    epochs: int = RECIPES["demo"].epochs
    """Epochs to train."""
    seconds: float = 5.0
    """Length of the sequence to draw."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or not self.seconds > 0:
            raise ValueError(f"epochs and seconds must be positive, got {self.epochs} and {self.seconds}")

    @property
    def recipe(self) -> TrainConfig:
        """The training of the demo."""
        return replace(RECIPES["demo"], epochs=self.epochs)

    @property
    def steps(self) -> int:
        """Training steps in all."""
        return self.epochs * (self.recipe.steps_per_epoch or 0)


@dataclass(frozen=True)
class DemoResult:
    """What the demo found and wrote."""

    evaluation: Evaluation
    files: dict[str, Path]


def run_demo(config: DemoConfig, *, on_step: Report, on_epoch: Report) -> DemoResult:
    """Train, evaluate, lift an unseen sequence, and write a picture and an animation of it."""
    run = config.out / "run"
    if (run / "config.json").exists():
        shutil.rmtree(run)
    recipe = config.recipe
    views = {split: load_views(recipe.data, split) for split in ("train", "validation", "test")}
    if not train(recipe, run, views["train"], views["validation"], on_step=on_step, on_epoch=on_epoch):
        raise KeyboardInterrupt
    _, model = load_run(run)
    evaluation = evaluate(model, views["test"])
    write_text(run / "evaluation.md", evaluation.to_markdown())
    sequence = lift_view(model, views["test"], views["test"].actions.index("walk"), config.seconds)
    picture, animation = config.out / "lifted.png", config.out / "lifted.gif"
    last = len(sequence.pixels) - 1
    save_figure(lift_figure(sequence, [round(last * part / 4) for part in range(5)]), picture)
    save_lift_animation(sequence, animation)
    return DemoResult(evaluation, {"Run": run, "Picture": picture, "Animation": animation})


def lift_view(model: LiftingNetwork, views: Views, view: int, seconds: float) -> LiftedSequence:
    """Lift the first seconds of a view."""
    frames = views.frames_of(view)
    screen, true, camera = views.screen[frames], views.joints[frames], views.cameras[view]
    kept = slice(0, max(1, round(seconds * views.fps)))
    predicted = lift_sequence(model, screen)[kept]
    return LiftedSequence(camera.screen_to_image(screen)[kept], predicted, true[kept], camera, views.fps)
