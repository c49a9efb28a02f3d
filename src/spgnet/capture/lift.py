"""``spgnet.lift``: from whatever shows people to their 3D motion, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from spgnet.capture.config import check_options
from spgnet.capture.people import (
    DetectedPeople,
    LiftSource,
    Person,
    ProgressCallback,
    find_people,
    ignore_progress,
)
from spgnet.detection import Detector
from spgnet.detection.frame_choice import DetectEvery
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.image_rotation import ImageRotation
from spgnet.geometry.skeleton import SkeletonName
from spgnet.keypoints import KeypointFormat, Keypoints, KeypointSetName
from spgnet.keypoints.smoothing import SMOOTHING
from spgnet.lifting import Lifter, Motion, planting
from spgnet.lifting.assessment import assess_quality
from spgnet.lifting.feet import add_feet, sees_feet
from spgnet.lifting.input_checks import find_input_faults
from spgnet.lifting.postprocess import postprocess
from spgnet.lifting.quality import UNBELIEVABLE, Fault, describe_faults


def lift(
    source: LiftSource,
    *,
    camera: Camera | Path | str | None = None,
    camera_name: str | None = None,
    field_of_view: float | None = None,
    height: float | None = None,
    person: Person = "largest",
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    keypoint_set: KeypointSetName | None = None,
    format: KeypointFormat | Literal["auto"] = "auto",
    rotate: ImageRotation = 0,
    weights: Lifter | Path | str = "default",
    refine: bool = True,
    constant_bones: bool = False,
    skeleton: SkeletonName = "feet23",
    plant_feet: bool = False,
    align_to_gravity: bool = True,
    smoothing: float = SMOOTHING,
    flip: bool = True,
    force: bool = False,
    detect_every: DetectEvery = "auto",
    detector: Detector | Path | str | None = None,
    device: str = "cpu",
    found: DetectedPeople | None = None,
    on_progress: ProgressCallback | None = None,
    on_detected: Callable[[DetectedPeople], None] | None = None,
) -> list[Motion]:
    """Lift the people of a video, of images or of 2D keypoints to 3D motion in metres. Nothing is written.

    ``spgnet lift`` calls this function, too.

    >>> motions = lift("keypoints.npz", height=1.78)
    >>> motions[0].world.shape  # frames, joints, and x, y, z in metres, z up
    (100, 23, 3)
    >>> motions[0].camera.extrinsics
    'estimated'

    Args:
        source: a video, a folder of images, a keypoint file (docs/keypoints.md), the keypoints of one person
            or of several, or an array of x, y in pixels and score, which needs ``fps``, ``image_size`` and,
            but for the sets with a number of keypoints of their own, ``keypoint_set``.
        camera: what filmed them, or its file (docs/cameras.md). If None, the field of view that is given,
            the intrinsics that came with the keypoints, the focal length in the video's metadata, or a
            default field of view, whichever there is first.
        camera_name: which of the file's cameras.
        field_of_view: degrees across the longer side of the image, if there is no camera.
        height: the person's standing height in metres, to which the motion is scaled.
        person: who is lifted: the largest person (by size in the picture and duration), everybody, one by
            track number, from 1, or ``1+5+9``, the parts of one with several numbers.
        fps: frames per second of keypoints or images that do not say it; for slow motion, that of the camera.
        image_size: width and height in pixels of the keypoints' image, where they do not say it.
        keypoint_set: which keypoints these are, where they do not say it.
        format: format of a keypoint file.
        rotate: degrees clockwise by which the pictures or keypoints are turned first, after the rotation that
            a video's metadata state. A given camera is turned with them (:func:`find_camera`).
        weights: name of weights in the package (:func:`spgnet.available_weights`), a run folder, a
            safetensors file, or a :class:`Lifter`, to load the weights of many calls once.
        refine: make each motion project onto its detections, with constant bones, steady feet and one floor
            for all people (docs/refinement.md), and estimate its uncertainty.
        constant_bones: fit constant bone lengths; refined motions have them anyway.
        skeleton: ``feet23``: with heels and toes, where a detector's keypoints show them and motions are
            refined (docs/refinement.md#feet); ``human36m17``: the 17 joints of Human3.6M alone.
        plant_feet: hold feet still where they stand, and bend legs for it: cleaner to look at, a little less
            accurate (:func:`spgnet.lifting.planting.plant_feet`).
        align_to_gravity: find the world's up and floor from the motion, unless the camera file says where
            the camera is.
        smoothing: standard deviation in seconds of the filter against the detector's jitter; 0 turns it off.
        flip: average with the result for the mirrored input (twice the time, a little more accurate).
        force: lift 2D keypoints with which nothing in the motion can be believed: those that are no image
            coordinates or of another keypoint set. What is wrong is in the motion's ``quality``. A source
            that cannot be read as 2D keypoints is refused in any case.
        detect_every: detect 2D keypoints in every n-th frame of a video (1: in all), or in as many as the
            motion needs, with those between interpolated (docs/detection.md).
        detector: finds 2D keypoints in pictures; by default the package's, which is fetched once. A path is
            the folder of the two ONNX files of the latter.
        device: PyTorch's name of what lifts: ``cpu``, ``cuda`` or ``mps``. A :class:`Lifter` has its own.
        found: the people whom :func:`spgnet.capture.find_people` found in the source with the same options:
            they are not looked for again.
        on_progress: called with what is being done, how much of it is done, and how much there is (None if
            that is not known). It may raise :class:`spgnet.capture.Cancelled` to end the work.
        on_detected: called with everybody who was found, before they are lifted, such as to keep their 2D
            keypoints.

    Returns:
        A motion for each person, the largest first, all in one world, with its ``quality`` and the
        ``remarks`` on its input.

    Raises:
        InputError: the source, the camera or the weights cannot be used, options do not go together,
            nobody is there, or nothing can be believed of what is lifted. The message is one line.
        OSError: a file cannot be read.
    """
    check_options(
        person=person,
        detect_every=detect_every,
        smoothing=smoothing,
        fps=fps,
        image_size=image_size,
        height=height,
        rotate=rotate,
        plant_feet=plant_feet,
        with_feet=refine and skeleton == "feet23",
    )
    if isinstance(source, str) and source.isdecimal() and not Path(source).exists():
        raise InputError(f"{source} is no file; webcams are lifted live: spgnet lift {source} --live")
    report = on_progress or ignore_progress
    lifter = weights if isinstance(weights, Lifter) else Lifter.from_pretrained(weights, device=device)
    if found is None:
        found = find_people(
            source,
            camera=camera,
            camera_name=camera_name,
            field_of_view=field_of_view,
            fps=fps,
            image_size=image_size,
            keypoint_set=keypoint_set,
            format=format,
            rotate=rotate,
            detect_every=detect_every,
            detector=detector,
            on_progress=report,
        )
    if on_detected is not None:
        on_detected(found)
    people, motions = found.select(person).people, []
    faults = [find_input_faults(keypoints) for keypoints in people]
    if not force:
        refuse_unbelievable(source, faults)
    for keypoints in people:
        motions.append(
            lifter.lift(
                keypoints,
                camera=found.camera,
                smoothing=smoothing,
                flip=flip,
                on_progress=_start_stage(report, "lifting", keypoints, people),
            )
        )
    if refine:
        report("refining", 0, None)
    with_feet = refine and skeleton == "feet23" and any(map(sees_feet, people))
    motions = postprocess(
        motions,
        refined=refine,
        constant_bones=constant_bones,
        height=height,
        align=align_to_gravity,
        on_progress=partial(report, "refining"),
        feet=people if with_feet else (),
    )
    if with_feet:
        motions = [
            add_feet(motion, keypoints, on_progress=_start_stage(report, "adding feet", keypoints, people))
            for motion, keypoints in zip(motions, people, strict=True)
        ]
    if plant_feet:
        motions = [planting.plant_feet(motion) for motion in motions]
    return [
        replace(motion, quality=assess_quality(motion, known), remarks=found.remarks_on(keypoints))
        for motion, known, keypoints in zip(motions, faults, people, strict=True)
    ]


def refuse_unbelievable(source: LiftSource, faults: Sequence[Sequence[Fault]]) -> None:
    """Refuse 2D keypoints if those of every person have a fault with which nothing can be believed.

    Raises:
        InputError: they have.
    """
    fatal: list[list[Fault]] = [[fault for fault in each if fault in UNBELIEVABLE] for each in faults]
    if all(fatal):
        name = f"{source}: " if isinstance(source, str | Path) else ""
        raise InputError(f"{name}{describe_faults(fatal[0])[0]} (--force, force=True: lift all the same)")


def _start_stage(
    report: ProgressCallback, stage: str, person: Keypoints, people: Sequence[Keypoints]
) -> Callable[..., None]:
    """Report that a stage begins for a person. Returns the callback for its progress, which takes how much is
    done, and how much there is: by default the person's frames."""
    if len(people) > 1:
        stage = f"{stage} (person {person.track})"
    report(stage, 0, None)

    def on_progress(done: int, total: int = len(person)) -> None:
        report(stage, done, total)

    return on_progress
