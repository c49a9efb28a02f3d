"""How fast overlay videos are drawn and encoded.

Usage: ``python benchmarks/overlay_speed.py [FRAMES]``. A generated person walks through a plain picture of
1080x1920 pixels. Prints frames per second of the preparation, of drawing, of encoding, and of
``write_overlay``, which does both.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.rigs import look_at
from spgnet.lifting.motion import Motion
from spgnet.synthetic.procedural import procedural_clips
from spgnet.video import VideoWriter
from spgnet.view.overlay import Overlay, write_overlay

SIZE = (1080, 1920)
FPS = 30.0
PEOPLE = (1, 3)


def walking(frames: int, aside: float, track: int) -> Motion:
    """A person who walks in front of a camera, detected with an error of some pixels."""
    place = torch.tensor([0.0, -5.0, 1.4])
    matrix = [[1700, 0, SIZE[0] / 2], [0, 1700, SIZE[1] / 2], [0, 0, 1]]
    rotation = look_at(place, torch.tensor([0.0, 0.0, 1.0]))
    camera = opencv_camera(matrix, [-0.1, 0.02], SIZE, rotation=rotation, position=place)
    joints = procedural_clips(1, seed=track, seconds=frames / FPS, fps=FPS)[0].joints
    middle = joints[:, :1].mean(dim=0) * torch.tensor([1.0, 1.0, 0.0])
    seen = camera.world_to_camera(joints - middle + torch.tensor([aside, 0.0, 0.0]))
    rng = np.random.default_rng(track)
    return Motion(
        joints=seen.numpy(),
        confidence=rng.uniform(0.2, 1, (frames, 17)).astype(np.float32),
        pixels=camera.camera_to_image(seen).numpy() + rng.normal(0, 4, (frames, 17, 2)).astype(np.float32),
        timestamps=np.arange(frames) / FPS,
        camera=camera,
        camera_source="generated",
        track=track,
    )


def picture() -> np.ndarray:
    """A smooth picture with some grain, so that the encoder has something to do."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    smooth = np.stack((x / SIZE[0], y / SIZE[1], 1 - x / SIZE[0]), axis=-1) * 160 + 40
    return (smooth + rng.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8)


def rate(frames: int, work: Callable[[], object]) -> float:
    """Frames per second of a piece of work."""
    start = time.perf_counter()
    work()
    return frames / (time.perf_counter() - start)


def encode(path: Path, images: list[np.ndarray], frames: int) -> None:
    with VideoWriter(path, FPS) as video:
        for frame in range(frames):
            video.write(images[frame % len(images)])


def measure(frames: int, people: int, path: Path) -> tuple[float, ...]:
    """Frames per second of preparing, drawing, encoding, and drawing with encoding."""
    motions = [walking(frames, person - (people - 1) / 2, person + 1) for person in range(people)]
    image = picture()
    prepare = rate(frames, lambda: Overlay(motions))
    overlay = Overlay(motions)
    overlay.draw(image, 0)
    draw = rate(frames, lambda: [overlay.draw(image, frame).shape for frame in range(frames)])
    images = [overlay.draw(image, frame) for frame in range(min(frames, 30))]
    encoding = rate(frames, lambda: encode(path, images, frames))
    both = rate(frames, lambda: write_overlay(path, [image] * frames, overlay, FPS))
    return prepare, draw, encoding, both


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    print("| People | Prepare | Draw | Encode | Draw and encode |\n|---:|---:|---:|---:|---:|")
    for people in PEOPLE:
        with tempfile.TemporaryDirectory() as folder:
            rates = measure(frames, people, Path(folder) / "overlay.mp4")
        print(f"| {people} | {' | '.join(f'{value:.0f}' for value in rates)} |")


if __name__ == "__main__":
    main()
