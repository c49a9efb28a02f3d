"""The files of a captured motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from itertools import repeat
from os.path import realpath
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

import numpy as np
import torch

from spgnet.camera_files import IntrinsicsSource
from spgnet.capture.config import CaptureConfig
from spgnet.capture.people import DetectedPeople, ProgressCallback
from spgnet.errors import InputError
from spgnet.export import FORMATS as EXPORT_FORMATS
from spgnet.export import OPTIONS, SINGLE_PERSON_FORMATS, export, format_options
from spgnet.extras import how_to_install
from spgnet.keypoints import Keypoints, save_keypoints
from spgnet.lifting import Motion, save_motion
from spgnet.video import FrameSource
from spgnet.video.writer import FORMATS
from spgnet.view.overlay import Overlay, write_overlay
from spgnet.view.page import write_page

Item = TypeVar("Item")

NEEDED = {"c3d": ("ezc3d", "export"), "glb": ("pygltflib", "export"), "gltf": ("pygltflib", "export")}
"""Formats that need a library, and the extra that brings it."""


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """A folder that exists and can be written to; one that was created is removed again if it stays empty.

    Raises:
        OSError: it cannot be created or written to.
    """
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        TemporaryFile(dir=folder).close()
    except OSError as error:  # which names the temporary file
        raise OSError(error.errno, error.strerror, str(folder)) from None
    try:
        yield
    finally:
        if new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def check_outputs(config: CaptureConfig) -> None:
    """Find out before the work whether its results could be written.

    Raises:
        InputError: a path is of another kind, its folder is missing, the input or the camera file would be
            overwritten, or a library is missing.
    """
    errors = []
    if config.out.exists() and not config.out.is_dir():
        errors.append(f"{config.out}: a file is in the way; --out names a folder")
    if config.html is not None:
        errors += path_errors("--html", config.html, (".html", ".htm"), config.out)
    if config.overlay is not None:
        errors += path_errors("--overlay", config.overlay, tuple(FORMATS), config.out)
    sources = {realpath(path) for path in (config.input, config.camera) if path is not None}
    names = [f"motion.{suffix}" for suffix in ("npz", *config.export)]
    targets = [*(config.out / name for name in names), config.html, config.overlay]
    errors += [
        f"{path}: would overwrite what is read" for path in targets if path and realpath(path) in sources
    ]
    errors += [f"{path}: a folder is in the way of the file" for path in targets if path and path.is_dir()]
    for option, choices in OPTIONS.items():
        having = [name for name in EXPORT_FORMATS if option in format_options(name)]
        if getattr(config, option) != choices[0] and not set(having) & set(config.export):
            errors.append(f"--{option} is of {', '.join(having)} files; --export names none of them")
    needed = [NEEDED[suffix] for suffix in config.export if suffix in NEEDED]
    needed += [("cv2", "video"), ("av", "video")] if config.overlay else []
    errors += [
        how_to_install(module, extra) for module, extra in dict.fromkeys(needed) if not find_spec(module)
    ]
    if errors:
        raise InputError("; ".join(errors))


def path_errors(option: str, path: Path, suffixes: tuple[str, ...], created: Path | None = None) -> list[str]:
    """What is wrong with the name of a file to write; ``created`` is a folder that will be there."""
    errors = []
    if path.suffix.lower() not in suffixes:
        errors.append(f"{path}: {option} needs a file name that ends in {' or '.join(suffixes)}")
    if not path.parent.is_dir() and path.parent != created:
        errors.append(f"{path.parent}: no such folder (for {option})")
    return errors


def save_detected_keypoints(found: DetectedPeople, config: CaptureConfig) -> dict[str, Path]:
    """Write the keypoints of everybody detected, with their camera if it is known, to be lifted again.

    Returns:
        The files, by what they are; none if the keypoints came from a file.
    """
    if found.video is None:
        return {}
    config.out.mkdir(parents=True, exist_ok=True)  # another run may have removed it as its own and empty
    files = {}
    for keypoints in found.people:
        person = "" if len(found.people) == 1 else f"-{keypoints.track}"
        files[f"keypoints{person}"] = config.out / f"keypoints{person}.npz"
        save_keypoints(files[f"keypoints{person}"], with_intrinsics(keypoints, found))
    return files


def with_intrinsics(keypoints: Keypoints, found: DetectedPeople) -> Keypoints:
    """Keypoints that hold their camera's intrinsics, unless these are only assumed."""
    if found.camera.source is IntrinsicsSource.ASSUMED:
        return keypoints
    camera = found.camera.camera.to(torch.float64)
    return replace(
        keypoints,
        camera_matrix=camera.intrinsics_matrix().numpy(),
        distortion=camera.distortion_coefficients().numpy(),
        fisheye=camera.convention == "fisheye",
    )


def write_outputs(
    motions: Sequence[Motion], video: FrameSource | None, config: CaptureConfig, report: ProgressCallback
) -> dict[str, Path]:
    """Write the motions in every way that was asked for; each file whole or not at all.

    The video's frames must be those of the motions.

    Returns:
        The files, by what they are.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    files, total = {}, len(motions) + len(config.export)
    for done, motion in enumerate(motions):
        report("writing files", done, total)
        person = "" if len(motions) == 1 else f"-{motion.track}"
        files[f"motion{person}"] = config.out / f"motion{person}.npz"
        save_motion(files[f"motion{person}"], motion)
    for done, suffix in enumerate(config.export, start=len(motions)):
        report("writing files", done, total)
        files |= export_files(motions, config.out, suffix, config)
    report("writing files", total, total)
    if config.html is not None:
        report("writing the page", 0, None)
        title = Path(config.input).name
        write_page(config.html, motions, title=title, images=timed_images(video, motions, report))
        files["page"] = config.html
    if config.overlay is not None:
        total = len(motions[0])
        report("drawing the overlay", 0, total)
        images = (frame.image for frame in video) if video else repeat(None, total)
        write_overlay(
            config.overlay,
            images,
            Overlay(motions),
            motions[0].fps,
            lambda done: report("drawing the overlay", done, total),
        )
        files["overlay"] = config.overlay
    return files


def export_files(
    motions: Sequence[Motion], folder: Path, suffix: str, config: CaptureConfig
) -> dict[str, Path]:
    """The motions in another format: in one file if the format can hold several people."""
    options = {name: getattr(config, name) for name in format_options(suffix)}
    if suffix not in SINGLE_PERSON_FORMATS or len(motions) == 1:
        path = folder / f"motion.{suffix}"
        export(motions, path, **options)
        return {suffix: path}
    paths = {f"{suffix}-{motion.track}": folder / f"motion-{motion.track}.{suffix}" for motion in motions}
    for motion, path in zip(motions, paths.values(), strict=True):
        export(motion, path, **options)
    return paths


def timed_images(
    video: FrameSource | None, motions: Sequence[Motion], report: ProgressCallback
) -> Iterator[tuple[float, np.ndarray]] | None:
    """The frames of the video with their times, for the page."""
    if video is None:
        return None
    times = motions[0].timestamps.tolist()
    images = ((time, frame.image) for time, frame in zip(times, video, strict=False))
    return report_each(images, "writing the page", len(times), report)


def report_each(
    items: Iterator[Item], what: str, total: int | None, report: ProgressCallback
) -> Iterator[Item]:
    """The same items; every one that was taken is reported."""
    for done, item in enumerate(items, start=1):
        yield item
        report(what, done, total)
