"""The files of a captured motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.capture.config import CaptureConfig
from spgnet.capture.people import Found, Report, is_keypoints
from spgnet.export import export, export_people
from spgnet.keypoints import save_keypoints
from spgnet.lifting import Motion, save_motion
from spgnet.video import FrameSource
from spgnet.view.overlay import Overlay, write_overlay
from spgnet.view.page import write_page

SINGLE = ("bvh",)
"""Formats of which a file holds one person."""


def check_outputs(config: CaptureConfig) -> None:
    """Find out before the work whether its results could be written.

    Raises:
        ValueError: a path is of another kind, its folder is missing, or the input would be overwritten.
    """
    faults = []
    if config.out.exists() and not config.out.is_dir():
        faults.append(f"{config.out}: a file is in the way; --out names a folder")
    for option, path, suffixes in (
        ("--html", config.html, (".html", ".htm")),
        ("--overlay", config.overlay, (".mp4", ".mov", ".mkv")),
    ):
        if path is None:
            continue
        if path.suffix.lower() not in suffixes:
            faults.append(f"{path}: {option} needs a file name that ends in {' or '.join(suffixes)}")
        if not path.parent.is_dir() and path.parent != config.out:
            faults.append(f"{path.parent}: no such folder (for {option})")
        if path.exists() and path.resolve() == Path(config.input).resolve():
            faults.append(f"{path}: {option} would overwrite the input")
    if faults:
        raise ValueError("; ".join(faults))


def write_outputs(
    motions: Sequence[Motion], found: Found, config: CaptureConfig, report: Report
) -> dict[str, Path]:
    """Write everything that was asked for; each file whole or not at all.

    Returns:
        The files, by what they are.
    """
    files = {}
    for motion, keypoints in zip(motions, found.people, strict=True):
        person = "" if len(motions) == 1 else f"-{motion.track}"
        files[f"motion{person}"] = config.out / f"motion{person}.npz"
        save_motion(files[f"motion{person}"], motion)
        if not is_keypoints(Path(config.input)):
            files[f"keypoints{person}"] = config.out / f"keypoints{person}.npz"
            save_keypoints(files[f"keypoints{person}"], keypoints)
    for suffix in config.export:
        files |= exported(motions, config.out, suffix)
    if config.html is not None:
        title = Path(config.input).name
        write_page(config.html, motions, title=title, images=timed_images(found.video, motions, report))
        files["page"] = config.html
    if config.overlay is not None:
        images = plain_images(found.video, motions[0], report)
        write_overlay(config.overlay, images, Overlay(motions), motions[0].fps)
        files["overlay"] = config.overlay
    return files


def exported(motions: Sequence[Motion], folder: Path, suffix: str) -> dict[str, Path]:
    """The motions in another format: in one file if the format can hold several people."""
    if suffix not in SINGLE or len(motions) == 1:
        path = folder / f"motion.{suffix}"
        export_people(motions, path)
        return {suffix: path}
    paths = {f"{suffix}-{motion.track}": folder / f"motion-{motion.track}.{suffix}" for motion in motions}
    for motion, path in zip(motions, paths.values(), strict=True):
        export(motion, path)
    return paths


def timed_images(
    video: FrameSource | None, motions: Sequence[Motion], report: Report
) -> Iterator[tuple[float, np.ndarray]] | None:
    """The frames of the video with their times, for the page."""
    if video is None:
        return None
    total = len(motions[0])
    return _reported(((frame.time, frame.image) for frame in video), "writing the page", total, report)


def plain_images(video: FrameSource | None, motion: Motion, report: Report) -> Iterator[np.ndarray | None]:
    """The frames of the video, or None for each frame if there is none."""
    images = (frame.image for frame in video) if video else iter([None] * len(motion))
    return _reported(images, "drawing the overlay", len(motion), report)


def _reported(items: Iterator[Any], what: str, total: int, report: Report) -> Iterator[Any]:
    for done, item in enumerate(items, start=1):
        yield item
        report(what, done, total)
