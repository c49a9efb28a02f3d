"""What ``spgnet lift`` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from spgnet.detection.frame_choice import DetectEvery, check_detect_every
from spgnet.errors import InputError
from spgnet.export import Columns, MarkerNames, RigName, Unseen
from spgnet.geometry.image_rotation import ImageRotation, check_image_rotation
from spgnet.geometry.skeleton import SkeletonName
from spgnet.keypoints import KeypointFormat, KeypointSetName
from spgnet.keypoints.linking import person_numbers
from spgnet.keypoints.smoothing import SMOOTHING, check_smoothing
from spgnet.lifting.bone_lengths import check_height
from spgnet.lifting.inputs import check_fps

Format = Literal["bvh", "trc", "c3d", "mot", "sto", "glb", "gltf", "csv", "json"]
Accelerator = Literal["cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True)
class CaptureOptions:
    """How to lift, and what to write.

    Raises:
        InputError: values are out of range or do not go together.
    """

    person: Literal["largest", "all"] | int | str = "largest"
    """Who is lifted: the largest person (by size in the picture and duration), everybody, one by number (from
    1, in the order in which they appear), or 1+5+9 for one person with several numbers."""
    detect_every: DetectEvery = "auto"
    """Detect 2D keypoints in every n-th frame of a video (1: in all), or in as many as the motion needs, with
    those between interpolated."""
    detector_dir: Path | None = None
    """Folder of the detector's two ONNX files, instead of fetching them once."""
    # tyro shows aliases first, so that a flag's present name is its alias, and the name its former one.
    format: Annotated[
        KeypointFormat | Literal["auto"], tyro.conf.arg(name="read-as", aliases=["--format"])
    ] = "auto"
    """Format of a keypoint file."""
    keypoint_set: KeypointSetName | None = None
    """Which keypoints these are, where the file does not say."""
    fps: float | None = None
    """Frames per second of keypoints or images, where the file does not say; for slow motion, that of the
    camera."""
    image_size: tuple[int, int] | None = None
    """Width and height of the image in pixels, where the file does not say."""
    rotate: ImageRotation = 0
    """Degrees clockwise by which the pictures (or keypoints) are turned first, if people in them are upside
    down or on their side."""

    camera: Path | None = None
    """Camera file, of OpenCV, ROS, Pose2Sim, Caliscope, Anipose, FreeMoCap, Qualisys, Kalibr, EasyMocap,
    COLMAP or OpenCap, or one of this package (docs/cameras.md)."""
    camera_name: str | None = None
    """Which of the file's cameras."""
    field_of_view: float | None = None
    """Degrees across the longer side of the image, if there is no camera file."""

    weights: str = "default"
    """Name of weights in the package, a run folder, or a safetensors file."""
    accelerator: Accelerator = "cpu"
    """What lifts."""
    smoothing: float = SMOOTHING
    """Standard deviation in seconds of the filter against the detector's jitter; 0 turns it off."""
    flip: bool = True
    """Average with the result for the mirrored input."""
    height: float | None = None
    """The person's height in metres, to which the motion is scaled."""
    refine: bool = True
    """Make the motion project onto the detections, with constant bones, steady feet and a common floor."""
    constant_bones: Annotated[bool, tyro.conf.arg(name="rigid", aliases=["--constant-bones"])] = False
    """Fit constant bone lengths."""
    skeleton: SkeletonName = "feet23"
    """Joints of the motion: with heels and toes where the detector sees feet and the motion is refined, or
    the 17 of Human3.6M."""
    plant_feet: bool = False
    """Hold feet still where they stand, and bend legs for it: cleaner to look at, a little less accurate."""
    align_to_gravity: Annotated[bool, tyro.conf.arg(name="level", aliases=["--align-to-gravity"])] = True
    """Find the floor and stand the world on it, unless the camera file says where the camera is."""

    export: tuple[Format, ...] = ()
    """More formats to write the motion in."""
    rig: RigName = "spgnet"
    """Skeleton of exported .bvh, .glb and .gltf files: names, hierarchy and rest pose."""
    markers: MarkerNames = "spgnet"
    """Names of the markers of exported .trc and .c3d files."""
    unseen: Unseen = "keep"
    """Whether exported .trc and .c3d files keep joints that were not detected, which are estimates, or have
    them missing."""
    columns: Columns = "positions"
    """Whether exported .csv files have positions, joint angles or both."""
    html: Path | None = None
    """Web page to write, in one file that works offline."""
    overlay: Path | None = None
    """Video to write, with the motion drawn over it."""
    force: bool = False
    """Lift 2D keypoints that cannot be believed: no image coordinates, or those of another keypoint set. What
    cannot be read as 2D keypoints is refused all the same."""
    live: bool = False
    """Lift frame by frame and show it as it comes."""
    port: int = 8080
    """Of the live view."""

    def __post_init__(self) -> None:
        check_options(
            person=self.person,
            detect_every=self.detect_every,
            smoothing=self.smoothing,
            fps=self.fps,
            image_size=self.image_size,
            height=self.height,
            rotate=self.rotate,
            plant_feet=self.plant_feet,
            with_feet=self.refine and self.skeleton == "feet23",
        )

    @property
    def input_options(self) -> dict[str, Any]:
        """What is known of the input and its camera, as arguments of :func:`spgnet.capture.find_people`."""
        names = (
            *("camera", "camera_name", "field_of_view", "fps"),
            *("image_size", "keypoint_set", "format", "rotate"),
        )
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class CaptureConfig(CaptureOptions):
    """What to lift, how, and what to write.

    Raises:
        InputError: values are out of range or do not go together.
    """

    input: str
    """A video, a folder of images, a file or folder of 2D keypoints, or with ``live`` a webcam's number."""
    out: Path = Path("out")
    """Folder to write to."""


def check_options(
    *,
    person: Literal["largest", "all"] | int | str,
    detect_every: DetectEvery,
    smoothing: float,
    fps: float | None,
    image_size: tuple[int, int] | None,
    height: float | None,
    rotate: int,
    plant_feet: bool = False,
    with_feet: bool = True,
) -> None:
    """Refuse options of lifting that cannot be, before anything is read.

    Raises:
        InputError: values are out of range or do not go together; all of them are named.
    """
    errors = []
    if isinstance(person, int) and person < 1:
        errors.append(f"person counts from 1, got {person}")
    elif person not in ("largest", "all"):
        try:
            person_numbers(person)
        except InputError as error:
            errors.append(str(error))
    try:
        check_detect_every(detect_every)
    except InputError as error:
        errors.append(str(error))
    if image_size is not None and (np.shape(image_size) != (2,) or min(image_size) < 1):
        errors.append(f"image_size must be a positive width and height, got {image_size}")
    checks = (
        (check_smoothing, smoothing),
        (check_fps, fps),
        (check_height, height),
        (check_image_rotation, rotate),
    )
    for check, value in checks:
        try:
            if value is not None:
                check(value)
        except InputError as error:
            errors.append(str(error))
    if height is not None and person == "all":
        errors.append("height is of one person; choose one by person")
    if plant_feet and not with_feet:
        errors.append("plant_feet needs refined motions with feet (refine, skeleton feet23)")
    if errors:
        raise InputError("; ".join(errors))
