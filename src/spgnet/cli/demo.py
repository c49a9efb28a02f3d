"""The demo: a sample video to 3D motion, a page, an overlay video and a BVH file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

from spgnet.capture import CaptureConfig, CaptureResult, run_capture
from spgnet.capture.people import ProgressCallback
from spgnet.detection import detector_weights, sample_calibration, sample_video
from spgnet.errors import InputError
from spgnet.files import whole_file

SAMPLE = "pose2sim_cam01"
CLIP = "pose2sim_cam01.npz"
"""Keypoints of the sample video, in the package's folder ``samples``."""


@dataclass(frozen=True)
class DemoConfig:
    """What the demo does."""

    out: Path = Path("demo")
    """Folder to write to."""
    offline: bool = False
    """Fetch nothing: lift the keypoints that come with the package."""


def run_demo(config: DemoConfig, report: ProgressCallback, say: Callable[[str], None]) -> CaptureResult:
    """Fetch the sample video and the detector, lift, and write the results.

    If one of them cannot be fetched, the keypoints of that video which come with the package are lifted, and
    copied to where those of a video are written.

    Args:
        config: what to do.
        report: called with what is being done, how much of it is done, and how much there is.
        say: called with lines for the user.
    """
    options = {
        "out": config.out,
        "export": ("bvh",),
        "html": config.out / "page.html",
        "overlay": config.out / "overlay.mp4",
    }
    if not config.offline:
        try:
            video, calibration = sample_video(SAMPLE, say), sample_calibration(say)
            detector_weights(report=say)
        except InputError as error:
            say(f"cannot fetch the sample video and the detector ({error})")
        else:
            camera = {"camera": calibration, "camera_name": "cam01"}
            captured = run_capture(CaptureConfig(input=str(video), **camera, **options), report)
            return captured if "keypoints" in captured.files else _with_keypoints(captured, config.out)
    say("lifting the keypoint clip that comes with the package; its overlay has no video behind it")
    with as_file(files("spgnet").joinpath("samples", CLIP)) as clip:
        captured = run_capture(CaptureConfig(input=str(clip), **options), report)
        keypoints = config.out / "keypoints.npz"
        with whole_file(keypoints, ".npz") as temporary:
            temporary.write_bytes(clip.read_bytes())
    return replace(captured, files={**captured.files, "keypoints": keypoints})


def _with_keypoints(captured: CaptureResult, folder: Path) -> CaptureResult:
    """Rename the lifted person's keypoint file to ``keypoints.npz``, its name where only one person is seen.

    The tutorials go on with that name, whether or not somebody is in the background.
    """
    files = dict(captured.files)
    files["keypoints"] = folder / "keypoints.npz"
    files.pop(f"keypoints-{captured.motions[0].track}").replace(files["keypoints"])
    return replace(captured, files=files)
