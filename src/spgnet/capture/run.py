"""The whole way: find the people, lift them, put them on the floor, and write what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from spgnet.camera_files import IntrinsicsSource
from spgnet.capture.config import CaptureConfig
from spgnet.capture.outputs import check_outputs, save_found, write_outputs
from spgnet.capture.people import DetectedPeople, ProgressCallback, find_people
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting import Lifter, Motion
from spgnet.lifting.postprocess import align_to_gravity, fit_constant_bones, place_on_floor, scale_to_height

ENDS = ("elbow", "wrist", "knee", "ankle")
LIMBS = [HUMAN36M.names.index(f"{side}_{end}") for side in ("left", "right") for end in ENDS]


@dataclass(frozen=True)
class CaptureResult:
    """What came of it.

    Attributes:
        motions: of the people lifted, the largest first, all in one world.
        files: what was written, by what it is.
        remarks: what the user should know.
    """

    motions: list[Motion]
    files: dict[str, Path]
    remarks: list[str] = field(default_factory=list)


def run_capture(
    config: CaptureConfig, report: ProgressCallback = lambda stage, done, total: None
) -> CaptureResult:
    """Lift the people of a video or a keypoint file, and write the results.

    Args:
        config: what to do.
        report: called with what is being done, how much of it is done, and how much there is.

    Raises:
        InputError: the input, the camera or the weights cannot be used, or nobody is there; the message is
            one line.
        OSError: the output cannot be written.
    """
    check_outputs(config)
    lifter = Lifter.from_pretrained(config.weights, device=config.accelerator)
    with made(config.out):
        earlier = set(config.out.glob("motion*"))
        everybody = find_people(config, report)
        files = save_found(everybody, config)
        found = everybody.chosen(config.person)
        motions = lifted(found, lifter, config, report)
        files |= write_outputs(motions, found, config, report)
    said = remarks(found, motions, config)
    others = [one.track for one in everybody.people if one.track not in {m.track for m in motions}]
    if others:
        said.append(f"also there: person {', '.join(map(str, others))} (--person all)")
    if stale := sorted(path.name for path in earlier - set(files.values())):
        said.append(f"from an earlier run, still in {config.out}: {', '.join(stale)}")
    return CaptureResult(motions, files, said)


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """A folder that is there and can be written to, and is gone again if nothing came into it."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / ".spgnet"
    trial.touch()
    trial.unlink()
    try:
        yield
    finally:
        if new and not any(folder.iterdir()):
            folder.rmdir()


def lifted(
    found: DetectedPeople, lifter: Lifter, config: CaptureConfig, report: ProgressCallback
) -> list[Motion]:
    """The motions of the people found, corrected as the user wants, in one world."""
    motions = []
    for keypoints in found.people:
        what = "lifting" if len(found.people) == 1 else f"lifting person {keypoints.track}"
        motion = lifter.lift(
            keypoints,
            camera=found.camera,
            smoothing=config.smoothing,
            flip=config.flip,
            on_progress=partial(_progress, report, what, len(keypoints)),
        )
        motion = fit_constant_bones(motion) if config.rigid else motion
        motions.append(motion if config.height is None else scale_to_height(motion, config.height))
    return on_floor(motions, config) if config.level else motions


def on_floor(motions: Sequence[Motion], config: CaptureConfig) -> list[Motion]:
    """The motions in the world of their camera, or in an estimated one if that is arbitrary.

    Scaling to a given height moves people up or down in a calibrated world: then its floor, which is all
    that is given up, is put under their feet.
    """
    together = one_after_another(motions)
    if together.camera.extrinsics == "arbitrary":
        together = align_to_gravity(together)
    elif config.height is not None:
        together = place_on_floor(together)
    return [replace(motion, camera=together.camera) for motion in motions]


def one_after_another(motions: Sequence[Motion]) -> Motion:
    """The frames of all people in one motion, to find the floor that all of them stand on."""
    first = motions[0]
    if len(motions) == 1:
        return first
    length = float(np.ptp(first.timestamps)) + 1.0
    return replace(
        first,
        joints=np.concatenate([motion.joints for motion in motions]),
        confidence=np.concatenate([motion.confidence for motion in motions]),
        pixels=np.concatenate([motion.pixels for motion in motions]),
        timestamps=np.concatenate([m.timestamps + place * length for place, m in enumerate(motions)]),
    )


def _progress(report: ProgressCallback, what: str, total: int, done: int) -> None:
    report(what, done, total)


def remarks(found: DetectedPeople, motions: list[Motion], config: CaptureConfig) -> list[str]:
    """What the user should know about the result."""
    lines = list(found.video.warnings) if found.video else []
    lines.append(f"camera: {motions[0].camera_source}")
    if motions[0].intrinsics_source is IntrinsicsSource.ASSUMED:
        lines.append("distances scale with the focal length, which was assumed: give --camera, or --height")
    if found.camera.camera.extrinsics != "arbitrary" and config.height is not None:
        floor = "camera is moved up or down to have the feet on" if config.level else "feet may not stand on"
        lines.append(f"--height overrides the scale of the calibrated world: the {floor} its floor")
    for motion in motions:
        lines += unseen(motion, config.detect_every)
    return lines


def unseen(motion: Motion, looked_every: int) -> list[str]:
    """How much of a person's motion is guessed because it was not seen where the detector looked."""
    confidence = motion.confidence[::looked_every]
    lines = []
    frames = float((confidence == 0).all(axis=1).mean())
    if frames > 0.02:
        lines.append(
            f"person {motion.track} is not seen in {100 * frames:.0f} % of the frames; these are filled"
        )
    limbs = float((confidence[:, LIMBS] == 0).mean())
    if limbs - frames > 0.2:
        lines.append(f"person {motion.track}: {100 * limbs:.0f} % of the limbs are not seen and guessed")
    return lines


def travelled(motion: Motion) -> float:
    """Length of the pelvis' way over the floor, in metres, without its jitter."""
    path = motion.world[:, 0, :2]
    step = max(1, round(motion.fps / 4))
    return float(np.linalg.norm(np.diff(path[::step], axis=0), axis=1).sum())
