"""Build the wheel, and use it in a clean environment, once for each extra: what a release must pass.

    python scripts/check_wheel.py [EXTRA ...]

PyTorch is not downloaded again: each environment gets links to the one that runs this script.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 30
"""Megabytes that the wheel may have."""
SAMPLE = "import spgnet; print(spgnet.__path__[0] + '/samples/pose2sim_cam01.npz')"
LIFT = ["spgnet", "lift", "{sample}", "-o", "out"]
APP = """
from pathlib import Path
from spgnet.app import AppConfig, server, sessions
config = AppConfig(out=Path("results"))
server.make_server(config, sessions.Sessions(config, Path("uploads")))
"""
USES = {
    "": [LIFT, ["spgnet", "export", "out/motion.npz", "out/motion.bvh"]],
    "video": [[*LIFT, "--overlay", "out/overlay.mp4"], ["python", "-c", "import rtmlib"]],
    "video-headless": [[*LIFT, "--overlay", "out/overlay.mp4"]],
    "export": [[*LIFT, "--export", "c3d", "glb"]],
    "onnx": [["spgnet", "export-model", "default", "lifter.onnx"]],
    "hdf5": [["python", "-c", "import h5py, spgnet.keypoints.hdf5"]],
    "view": [["python", "-c", "import viser, spgnet.view.live"]],
    "app": [["python", "-c", APP]],
    "cluster": [[*LIFT, "--workers", "1"], ["python", "-c", "import fsspec"]],
    "figures": [["python", "-c", "import matplotlib, spgnet.reproduction.charts"]],
    "tensorboard": [["python", "-c", "import torch.utils.tensorboard"]],
    "wandb": [["python", "-c", "import wandb"]],
    "datasets": [["python", "-c", "import cdflib, spgnet.datasets.cdf"]],
}
"""What is done with each extra; ``docs``, ``test`` and ``dev`` are for those who have the repository."""


def main(extras: list[str]) -> None:
    """Check them, all by default."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {*project["optional-dependencies"], ""} - {"docs", "test", "dev"}
    assert known == set(USES), f"extras without a use, or the other way around: {known ^ set(USES)}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder / "wheel", ROOT)
        (wheel,) = (folder / "wheel").glob("*.whl")
        megabytes = wheel.stat().st_size / 1e6
        print(f"{wheel.name}: {megabytes:.1f} MB")
        assert megabytes < LARGEST, f"expected less than {LARGEST} MB"
        for extra in extras or USES:
            check(wheel, extra, folder / (extra or "none"))
            print(f"{extra or 'no extra'}: works", flush=True)


def check(wheel: Path, extra: str, folder: Path) -> None:
    """Install the wheel with an extra into a new environment, and use it there."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    link_pytorch(next((folder / "lib").glob("python*")) / "site-packages")
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    run(programs / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wanted)
    sample = subprocess.check_output([programs / "python", "-c", SAMPLE], text=True, cwd=folder).strip()
    for program, *arguments in USES[extra]:
        run(programs / program, *(each.format(sample=sample) for each in arguments), cwd=folder)


def link_pytorch(packages: Path) -> None:
    """Link PyTorch's own files into an environment, from which pip sees that it is there."""
    own = distribution("torch")
    tops = {file.parts[0] for file in own.files or () if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        (packages / top).symlink_to(Path(str(own.locate_file(top))).resolve())


def run(*command: object, cwd: Path | None = None) -> None:
    """Run a command that must end well."""
    subprocess.run([str(each) for each in command], check=True, cwd=cwd)


if __name__ == "__main__":
    main(sys.argv[1:])
