"""Make the README's moving picture: a video with the lifted motion beside it.

    python scripts/moving_picture.py sports2d_demo.mp4 docs/motion.webp --start 3.4 --seconds 4.2

The picture is an animated WebP. VIDEO should be one whose licence lets its frames be shown (NOTICE).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image

import spgnet
from spgnet.video import open_frames
from spgnet.view.overlay import Overlay, OverlayStyle


@dataclass(frozen=True)
class Options:
    """What to show, and how."""

    video: tyro.conf.Positional[Path]
    """The video."""
    target: tyro.conf.Positional[Path]
    """The picture to write (.webp)."""
    detector: Path | None = None
    """Folder of the detector's two ONNX files, instead of fetching them once."""
    camera: Path | None = None
    """Camera file."""
    camera_name: str | None = None
    """Which of the file's cameras."""
    start: float = 0.0
    """Seconds from which on."""
    seconds: float = 4.0
    """How long."""
    fps: float = 12.5
    """Pictures a second."""
    width: int = 760
    """Width in pixels."""
    megabytes: float = 1.5
    """Largest size of the file; the compression is as good as that lets it be."""


def main(options: Options) -> None:
    """Lift everybody in the video and write the picture."""
    motions = spgnet.lift(
        options.video,
        person="all",
        camera=options.camera,
        camera_name=options.camera_name,
        detector=options.detector,
    )
    overlay = Overlay(motions, OverlayStyle(width=1440, height=540))
    pictures, due = [], options.start
    for index, frame in enumerate(open_frames(str(options.video))):
        if due <= frame.time < options.start + options.seconds and index < len(overlay):
            drawn = Image.fromarray(overlay.draw(frame.image, index))
            height = round(options.width * drawn.height / drawn.width)
            pictures.append(drawn.resize((options.width, height), Image.Resampling.LANCZOS))
            due += 1 / options.fps
    first, *rest = pictures
    for quality in range(70, 0, -10):
        first.save(
            options.target,
            save_all=True,
            append_images=rest,
            duration=round(1000 / options.fps),
            loop=0,
            quality=quality,
        )
        if options.target.stat().st_size <= 1e6 * options.megabytes:
            break
    print(f"{options.target}: {len(pictures)} pictures, {options.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(tyro.cli(Options))
