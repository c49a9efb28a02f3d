"""What ``spgnet lift`` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from spgnet.errors import InputError
from spgnet.keypoints import KeypointFormat, KeypointSetName
from spgnet.keypoints.smoothing import SMOOTHING
from spgnet.lifting.postprocess import check_height

Format = Literal["bvh", "trc", "c3d", "glb", "gltf", "csv", "json"]
Accelerator = Literal["cpu", "cuda", "mps"]


@dataclass(frozen=True)
class CaptureConfig:
    """What to lift, how, and what to write.

    Raises:
        InputError: values are out of range or do not go together.
    """

    input: tyro.conf.Positional[str]
    """A video, a folder of images, a file (or OpenPose's folder) of 2D keypoints, or with --live a webcam's
    number."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out")
    """Folder to write to."""

    person: Literal["largest", "all"] | int = "largest"
    """Whom to lift: who fills most of the picture, everybody, or one by number (from 1, in the order in which
    they appear)."""
    detect_every: int = 1
    """Detect 2D keypoints in every n-th frame of a video only."""
    detector_dir: Path | None = None
    """Folder of the detector's two ONNX files, instead of fetching them once."""
    format: Annotated[KeypointFormat | Literal["auto"], tyro.conf.arg(aliases=["--read-as"])] = "auto"
    """Format of a keypoint file."""
    keypoint_set: KeypointSetName | None = None
    """Which keypoints these are, where the file does not say."""
    fps: float | None = None
    """Frames per second of keypoints or images, where the file does not say; for slow motion, that of the
    camera."""
    image_size: tuple[int, int] | None = None
    """Width and height of the image in pixels, where the file does not say."""

    camera: Path | None = None
    """Camera file: JSON, OpenCV YAML or XML, Pose2Sim or Caliscope TOML, OpenCap npz or JSON."""
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
    rigid: bool = False
    """Fit constant bone lengths."""
    level: bool = True
    """Find the floor and stand the world on it, unless the camera file says where the camera is."""

    export: tuple[Format, ...] = ()
    """More formats to write the motion in."""
    html: Path | None = None
    """Web page to write, in one file that works offline."""
    overlay: Path | None = None
    """Video to write, with the motion drawn over it."""
    live: bool = False
    """Lift frame by frame and show it as it comes."""
    port: int = 8080
    """Of the live view."""

    def __post_init__(self) -> None:
        faults = []
        if isinstance(self.person, int) and self.person < 1:
            faults.append(f"--person counts from 1, got {self.person}")
        if self.detect_every < 1:
            faults.append(f"--detect-every must be at least 1, got {self.detect_every}")
        if self.smoothing < 0:
            faults.append(f"--smoothing must not be negative, got {self.smoothing:g}")
        if self.fps is not None and not self.fps > 0:
            faults.append(f"--fps must be positive, got {self.fps:g}")
        if self.image_size is not None and min(self.image_size) < 1:
            faults.append(f"--image-size must be positive, got {self.image_size}")
        if self.height is not None:
            check_height(self.height)
        if self.height is not None and self.person == "all":
            faults.append("--height is of one person; choose one with --person")
        if self.input.isdecimal() and not self.live and not Path(self.input).exists():
            faults.append(f"{self.input} is no file; to lift from webcam {self.input}, add --live")
        if faults:
            raise InputError("; ".join(faults))
