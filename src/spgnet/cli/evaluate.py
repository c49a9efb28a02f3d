"""``spgnet evaluate``: a network on a data set by every metric, and what is written about it."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import as_file
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import tyro
from jaxtyping import Float
from torch import Tensor

from spgnet.cli.console import console, evaluation_table, joint_table
from spgnet.cli.former_names import with_present_input as with_present_input
from spgnet.data.config import DataConfig, Input
from spgnet.data.dataset import PoseDataset
from spgnet.data.sources import kind_of_motion, load_dataset, missing_sequences, whole_split
from spgnet.errors import InputError
from spgnet.evaluation import Evaluation, evaluate_predictions, lift_dataset
from spgnet.files import file_sha256, read_json, write_json, write_npz, write_text
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.weights import available_weights
from spgnet.models import LiftingNetwork, RayNet
from spgnet.models.baselines.videopose3d import load_videopose3d
from spgnet.training.checkpoint import load_model
from spgnet.training.processes import Accelerator, pick_device
from spgnet.training.runs import git_commit, load_run, run_command
from spgnet.training.weights import weights_file


@dataclass(frozen=True)
class EvaluateOptions:
    """Evaluate a network."""

    weights: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="WEIGHTS")]]
    """Run folder, safetensors file, name of weights in the package (default, live), or a checkpoint of
    VideoPose3D (.bin)."""
    motion: Path | None = None
    """Folder of motion to evaluate on; by default, the data that the run was trained on."""
    takes: Path | None = None
    """Recorded takes to evaluate on (Human3.6M, HumanEva-I, MPI-INF-3DHP, your own)."""
    input: Input | None = None
    """2D input; by default, that of the training."""
    detector: str | None = None
    """Whose detections, for the input "detected"; by default, those of the training."""
    split: Literal["validation", "test"] = "test"
    """Which split to evaluate on."""
    subjects: tuple[str, ...] = ()
    """People to evaluate on; by default, all of the split."""
    actions: tuple[str, ...] = ()
    """Actions to evaluate on; by default, all of the split."""
    accelerator: Accelerator = "auto"
    """What computes."""
    flip: bool = True
    """Average with the result for the mirrored input."""
    by_subject: bool = False
    """Show the table by subject instead of by action."""
    by_joint: bool = False
    """Show the error of every joint, too."""
    root_as_predicted: bool = False
    """Count the error of the root that the network predicts for the pose, as VideoPose3D's own evaluation
    does; for its checkpoints alone."""
    predictions: Path | None = None
    """File (.npz) to save what was predicted in."""
    out: Path | None = None
    """Folder of the results; by default the run's, that of the file, or, for weights of the package, the
    present one."""


class EvaluatedWeights(NamedTuple):
    """A network to evaluate, and what is known about it.

    Attributes:
        sha256: of the file of its weights.
        model: the network.
        data: what it was trained on; the defaults if that is not known.
        trained_randomized: whether it may have been trained by domain randomisation, which draws on motion
            of the open benchmark's test split.
        folder: of the results.
        prefix: of the names of their files.
    """

    sha256: str
    model: LiftingNetwork
    data: DataConfig
    trained_randomized: bool
    folder: Path
    prefix: str = ""


def evaluate_command(options: tyro.conf.OmitArgPrefixes[EvaluateOptions]) -> None:
    """Evaluate a network by every metric: a table, and JSON and Markdown files."""
    if options.predictions is not None and options.predictions.suffix != ".npz":
        raise InputError(f"{options.predictions}: expected a name that ends in .npz")
    weights = find_weights(options)
    data = evaluated_on(options, weights.data)
    device = pick_device(options.accelerator)
    with console.status("Evaluating"):
        dataset = load_dataset(data, options.split, trained_randomized=weights.trained_randomized)
        dataset = dataset.of(subjects=options.subjects, actions=options.actions)
        model, moved = weights.model.to(device), dataset.to(device)
        predicted = lift_dataset(model, moved, flip=options.flip)
        result = evaluate_predictions(predicted, moved, model)
    about = describe(options, weights, data, dataset)
    stem = free_stem(evaluation_stem(options, weights, data), about["data"]["sha256"])
    stem.parent.mkdir(parents=True, exist_ok=True)
    if options.predictions is not None:
        save_predictions(options.predictions, predicted.cpu(), dataset)
    write_json(stem.with_name(f"{stem.name}.json"), about | result.to_json())
    write_text(stem.with_name(f"{stem.name}.md"), to_markdown(about, result))
    by = "subject" if options.by_subject else "action"
    console.print(evaluation_table(result, frames_text(result, about["data"]), by=by))
    if options.by_joint:
        console.print(joint_table(result))
    files = f"{stem}.json and .md" + (f", {options.predictions}" if options.predictions else "")
    console.print(f"Written: {files}")


def find_weights(options: EvaluateOptions) -> EvaluatedWeights:
    """The network that is asked for.

    Raises:
        InputError: there is none, its file is damaged, or it cannot be evaluated as is asked for.
    """
    path = Path(options.weights)
    if path.suffix == ".bin":
        network = load_videopose3d(path, root_as_predicted=options.root_as_predicted)
        if network.config.joints != "human36m17":
            raise InputError(f"{path}: puts out HumanEva's joints; only Human3.6M's can be evaluated")
        folder = options.out or path.parent
        return EvaluatedWeights(file_sha256(path), network, DataConfig(), False, folder, f"{path.stem}-")
    if options.root_as_predicted:
        raise InputError(f"{path}: root_as_predicted is for checkpoints of VideoPose3D (.bin)")
    shipped = options.weights in available_weights()
    if shipped or path.is_file():
        with as_file(weights_file(options.weights)) as file:
            model, sha256 = load_model(file), file_sha256(file)
        folder = options.out or (Path() if shipped else path.parent)
        randomized = isinstance(model, RayNet)
        return EvaluatedWeights(sha256, model, DataConfig(), randomized, folder, f"{path.stem}-")
    config, model = load_run(path)
    sha256 = file_sha256(path / "best.safetensors")
    randomized = config.data.input == "randomized"
    return EvaluatedWeights(sha256, model, config.data, randomized, options.out or path)


def evaluated_on(options: EvaluateOptions, trained: DataConfig) -> DataConfig:
    """The data that are asked for, or else those of the training."""
    places: dict[str, Any] = {}
    if options.motion is not None or options.takes is not None:
        places = {"motion": options.motion, "takes": options.takes, "validation_subjects": ()}
    changes = {"input": options.input, "detector": options.detector}
    return replace(trained, **places, **{name: value for name, value in changes.items() if value}, labels=1.0)


def describe(
    options: EvaluateOptions, weights: EvaluatedWeights, data: DataConfig, dataset: PoseDataset
) -> dict[str, Any]:
    """What was evaluated, on what and how, as values for JSON."""
    path, whole = data.takes or data.motion, whole_split(data, options.split)
    chosen = options.subjects or options.actions
    about_data = {
        "motion": kind_of_motion(data),
        "path": None if path is None else str(path),
        "sha256": dataset.sha256(),
        "split": options.split,
        "subjects": list(options.subjects) or None,
        "actions": list(options.actions) or None,
        "input": data.input,
        "detector": data.detector if data.input == "detected" else None,
        "rig": None if data.takes or data.input == "randomized" else data.rig,
        "missing": [] if chosen else missing_sequences(data, options.split, dataset),
        "whole_split": None if whole is None else {"name": whole[0], "frames": whole[1]},
    }
    return {
        "weights": {"name": options.weights, "sha256": weights.sha256},
        "data": about_data,
        "flip": options.flip,
        "root_as_predicted": options.root_as_predicted,
        "command": run_command(),
        "commit": git_commit(),
        "motion": about_data["motion"],
        "rig": data.rig,
    }


def evaluation_stem(options: EvaluateOptions, weights: EvaluatedWeights, data: DataConfig) -> Path:
    """Where results go, less the ending: into the run's folder, or beside the checkpoint."""
    recorded = (
        (data.takes.name, *((data.detector,) if data.input == "detected" else ())) if data.takes else ()
    )
    flip = () if options.flip else ("no-flip",)
    root = ("root-as-predicted",) if options.root_as_predicted else ()
    name = "-".join(("evaluation", options.split, *recorded, data.input, *flip, *root))
    return weights.folder / f"{weights.prefix}{name}"


def free_stem(stem: Path, sha256: str) -> Path:
    """The stem, with the beginning of the data's SHA-256 if it holds other results, or none."""
    present = stem.with_name(f"{stem.name}.json")
    if not present.exists():
        return stem
    held = None
    with suppress(InputError):  # a damaged file is left alone
        held = read_json(present)
    data = held.get("data") if isinstance(held, dict) else None
    same = isinstance(data, dict) and data.get("sha256") == sha256
    return stem if same else stem.with_name(f"{stem.name}-{sha256[:8]}")


def to_markdown(about: dict[str, Any], result: Evaluation) -> str:
    """The tables by action, subject and joint, and what was evaluated on what."""
    data, weights = about["data"], about["weights"]
    source = f"{data['motion']} motion" + (f" in `{data['path']}`" if data["path"] else "")
    cameras = f", cameras: {data['rig']}" if data["rig"] else ""
    detector = f" by {data['detector']}" if data["detector"] else ""
    facts = [
        f"Weights: `{weights['name']}` (SHA-256 {weights['sha256'][:12]}…)",
        f"Data: {source}{cameras}, split {data['split']}, 2D input {data['input']}{detector} "
        f"(SHA-256 {data['sha256'][:12]}…)",
        f"Frames: {frames_text(result, data)}",
        *(f"Missing: {line}" for line in data["missing"]),
        f"Averaged with the result for the mirrored input: {'yes' if about['flip'] else 'no'}",
        f"Command: `{shlex.join(about['command'])}`",
        f"Commit: {about['commit'] or 'unknown'}",
    ]
    if about["root_as_predicted"]:
        facts.insert(4, "The error of the root that the network predicts for the pose counts")
    tables = (result.to_markdown(), result.to_markdown(by="subject"), result.joints_to_markdown())
    return "\n".join((*tables, "".join(f"- {fact}\n" for fact in facts)))


def frames_text(result: Evaluation, data: dict[str, Any]) -> str:
    """How many frames were evaluated, of how many that the whole split has, and the unit of re-projection."""
    whole = data["whole_split"]
    text = f"{result.frames} frames"
    if whole is not None and whole["frames"] != result.frames:
        text = f"{result.frames} of the {whole['frames']} frames of {whole['name']}'s {data['split']} split"
    if data["input"] == "randomized":
        text += "; re-projection in pixels at a focal length of 1000 px"
    return text


def save_predictions(path: Path, predicted: Float[Tensor, "frames 17 3"], dataset: PoseDataset) -> None:
    """Write predicted and true joints (metres, camera frame), the 2D input (pixels) and their clips."""
    write_npz(
        path,
        predicted=predicted.numpy(),
        true=dataset.joints.numpy(),
        keypoints_2d=dataset.keypoints_2d.numpy(),
        evaluated=dataset.eval_frames().numpy(),
        lengths=dataset.lengths.numpy(),
        fps=np.array(dataset.fps),
        names=np.array(dataset.names),
        subjects=np.array(dataset.subjects),
        actions=np.array(dataset.actions),
        joints=np.array(HUMAN36M.names),
    )
