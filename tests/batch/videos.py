"""A long video of a simulated walk, and a detector that sees it by its pictures alone."""

from pathlib import Path

import numpy as np

from capture.conftest import SimulatedDetector
from spgnet.video import VideoWriter

FRAMES, RATE = 60, 4.0


def write_long_video(path: Path) -> Path:
    """A video of 15 s whose shade tells the number of the frame."""
    with VideoWriter(path, RATE) as writer:
        for shade in range(FRAMES):
            writer.write(np.full((1280, 720, 3), 40 + 3 * shade, np.uint8))
    return path


class ShadeDetector(SimulatedDetector):
    """Sees the walk at the place that belongs to the shade of the picture."""

    def boxes(self, image: np.ndarray) -> np.ndarray:
        self.looks = self._number(image)
        return super().boxes(image)

    def pose(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        self.looks = self._number(image)
        return super().pose(image, boxes)

    def _number(self, image: np.ndarray) -> int:
        return round((float(image[:8, :8].mean()) - 40) / 3)
