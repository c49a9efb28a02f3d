"""``spgnet lift``: lift the people of the input, and write what is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spgnet.capture.config import CaptureConfig
from spgnet.capture.lift import lift
from spgnet.capture.outputs import check_outputs, output_folder, save_detected_keypoints, write_outputs
from spgnet.capture.people import (
    DetectedPeople,
    ProgressCallback,
    camera_remarks,
    find_people,
    ignore_progress,
)
from spgnet.detection import Detector
from spgnet.detection.clip_tracks import ClipTracks
from spgnet.detection.frame_choice import DetectEvery
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.linking import person_numbers
from spgnet.lifting import Lifter, Motion

ENDS = ("elbow", "wrist", "knee", "ankle")
LIMBS = [HUMAN36M.names.index(f"{side}_{end}") for side in ("left", "right") for end in ENDS]


@dataclass(frozen=True)
class CaptureResult:
    """Motions, and the files they are in.

    Attributes:
        motions: of the people lifted, the largest first, all in one world.
        files: what was written, by what it is.
        remarks: what the user should know.
    """

    motions: list[Motion]
    files: dict[str, Path]
    remarks: list[str] = field(default_factory=list)


def run_capture(
    config: CaptureConfig,
    report: ProgressCallback = ignore_progress,
    found: DetectedPeople | None = None,
    *,
    lifter: Lifter | None = None,
    detector: Detector | None = None,
    tracks: ClipTracks | None = None,
) -> CaptureResult:
    """Lift the people of a video or a keypoint file by :func:`spgnet.lift`, and write the results.

    Args:
        config: what to do.
        report: called with what is being done, how much of it is done, and how much there is.
        found: the people whom :func:`spgnet.capture.find_people` found with the options of ``config``: they
            are not looked for again.
        lifter: lifts, instead of one with the weights of ``config``, which would be loaded.
        detector: detects, instead of the one of ``config``.
        tracks: what was detected in the pieces of the video, joined; nothing is detected again.

    Raises:
        InputError: the input, the camera or the weights cannot be used, or nobody is there; the message is
            one line.
        OSError: the output cannot be written.
    """
    check_outputs(config)
    if tracks is not None:
        found = find_people(config.input, tracks=tracks, **config.input_options)
    detected: list[DetectedPeople] = []
    files: dict[str, Path] = {}

    def keep(found: DetectedPeople) -> None:
        detected.append(found)
        files.update(save_detected_keypoints(found, config))

    with output_folder(config.out):
        earlier = set(config.out.glob("motion*"))
        motions = lift(
            config.input,
            **config.input_options,
            height=config.height,
            person=config.person,
            weights=lifter or config.weights,
            refine=config.refine,
            constant_bones=config.constant_bones,
            skeleton=config.skeleton,
            plant_feet=config.plant_feet,
            align_to_gravity=config.align_to_gravity,
            smoothing=config.smoothing,
            flip=config.flip,
            force=config.force,
            detect_every=config.detect_every,
            detector=detector or config.detector_dir,
            device=config.accelerator,
            found=found,
            on_progress=report,
            on_detected=keep,
        )
        (found,) = detected
        files |= write_outputs(motions, found.video, config, report)
    lines = remarks(found, motions, config)
    lifted = {motion.track for motion in motions}
    if config.person not in ("largest", "all"):
        lifted |= set(person_numbers(config.person))
    others = [one.track for one in found.people if one.track not in lifted]
    if others:
        lines.append(f"also there: person {', '.join(map(str, others))} (--person all)")
    if stale := sorted(path.name for path in earlier - set(files.values())):
        lines.append(f"from an earlier run, still in {config.out}: {', '.join(stale)}")
    return CaptureResult(motions, files, lines)


def remarks(found: DetectedPeople, motions: list[Motion], config: CaptureConfig) -> list[str]:
    """What the user should know about the result."""
    lines = found.remarks() + camera_remarks(found.camera)
    if found.camera.camera.extrinsics != "arbitrary" and config.height is not None:
        floor = (
            "camera is moved up or down to have the feet on"
            if config.align_to_gravity
            else "feet may not stand on"
        )
        lines.append(f"--height overrides the scale of the camera's world: the {floor} its floor")
    for motion in motions:
        lines += missing_parts(motion, config.detect_every)
        lines += quality_warnings(motion)
    return lines


def quality_warnings(motion: Motion) -> list[str]:
    """What is wrong with a person's motion, a line each."""
    found = [] if motion.quality is None else motion.quality.warnings()
    return [f"warning: person {motion.track}: {line}" for line in found]


def missing_parts(motion: Motion, detect_every: DetectEvery) -> list[str]:
    """How much of a person's motion is guessed because it was not seen where the detector looked."""
    confidence = motion.confidence[:: 1 if detect_every == "auto" else detect_every]
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


def path_length(motion: Motion) -> float:
    """Length of the pelvis' way over the floor, in metres, without its jitter."""
    path = motion.world[:, 0, :2]
    step = max(1, round(motion.fps / 4))
    return float(np.linalg.norm(np.diff(path[::step], axis=0), axis=1).sum())
