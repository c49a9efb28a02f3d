"""Loggers of training runs beside the run's own log, by Lightning Fabric's interface."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import Logger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from spgnet.extras import import_extra
from spgnet.files import json_lines, write_text
from spgnet.text import read_text


class _RunLogger(Logger):
    """A logger of one run, which has neither versions nor hyperparameters: the run folder has them."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir

    @property
    def name(self) -> str:
        """The run folder's name."""
        return self.run_dir.name

    @property
    def version(self) -> None:
        """None."""
        return

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: they are in ``config.json``."""


class StepLog(_RunLogger):
    """A line for every logged step in ``steps.jsonl``, beside the run's ``log.jsonl`` of the epochs.

    Args:
        run_dir: the run folder.
        step: the last step that the run has done; lines of later ones, which are done again, go.
    """

    def __init__(self, run_dir: Path, step: int = 0) -> None:
        super().__init__(run_dir)
        self.path, self.step, self.begun = run_dir / "steps.jsonl", step, False

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add a line, if these are values of a step."""
        values = {name[5:]: value for name, value in metrics.items() if name.startswith("step/")}
        if not values:
            return
        if not self.begun and self.path.exists():
            kept = [line for line in json_lines(read_text(self.path)) if _is_entry_until(line, self.step)]
            write_text(self.path, "".join(f"{line}\n" for line in kept))
        self.begun = True
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step} | values) + "\n")


def _is_entry_until(line: str, step: int) -> bool:
    """Whether a line is an entry of a step up to this one; a full disk may have cut off the last."""
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return isinstance(entry, dict) and isinstance(entry.get("step"), int) and entry["step"] <= step


class WandbLog(_RunLogger):
    """Weights & Biases; its run begins with the first entry.

    Args:
        run_dir: the run folder, whose name the run has there.
        project: of the run there.

    Raises:
        InputError: wandb is not installed.
    """

    def __init__(self, run_dir: Path, project: str) -> None:
        super().__init__(run_dir)
        self.project, self.run = project, None
        self.wandb = import_extra("wandb", "wandb")

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log values."""
        if self.run is None:
            self.run = self.wandb.init(project=self.project, name=self.name, dir=str(self.run_dir))
        self.run.log(metrics, step=step)


def tensorboard_log(run_dir: Path, step: int = 0) -> Logger:
    """TensorBoard, in the run's folder ``tensorboard``; nothing is written before the first entry.

    Args:
        run_dir: the run folder.
        step: the last step that the run has done; what is there of later ones is not shown.

    Raises:
        InputError: TensorBoard is not installed.
    """
    import_extra("tensorboard", "tensorboard")
    return TensorBoardLogger(run_dir, name="tensorboard", version="", purge_step=step + 1)
