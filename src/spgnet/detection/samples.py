"""Sample videos of the Pose2Sim and Sports2D projects (BSD-3-Clause), fetched from their wheels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spgnet.detection.wheels import Report, WheelFile, cache_folder, fetch_from_wheel, has_sha256, print_line


@dataclass(frozen=True)
class SampleWheel:
    """A pinned wheel, and the sample files in it by the name they get."""

    requirement: str
    sha256: str
    megabytes: int
    files: dict[str, WheelFile]


_SINGLE, _MULTI = "Pose2Sim/Demo_SinglePerson", "Pose2Sim/Demo_MultiPerson"
CALIBRATION = "pose2sim_calibration.toml"
POSE2SIM = SampleWheel(
    "pose2sim==0.10.39",
    "85ba5a40e6927c2374e8c978877800799ef675f4ae344fb374aeace7eafb3c38",
    54,
    {
        "pose2sim_cam01.mp4": WheelFile(
            f"{_SINGLE}/videos/cam01.mp4", "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a"
        ),
        "pose2sim_cam02.mp4": WheelFile(
            f"{_SINGLE}/videos/cam02.mp4", "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442"
        ),
        "pose2sim_cam03.mp4": WheelFile(
            f"{_SINGLE}/videos/cam03.mp4", "b8b329f832f178f27ecb78d024d5026b96c6adb36c387bfe2c0af85eab8a11ca"
        ),
        "pose2sim_cam04.mp4": WheelFile(
            f"{_SINGLE}/videos/cam04.mp4", "b5c0e7863fd70d008e7178d3c556b045b0ea5f78fcd61ca548a0b2e807e641f7"
        ),
        "pose2sim_multi01.mp4": WheelFile(
            f"{_MULTI}/videos/cam01.mp4", "543cee6a4c2c2b52dc9eac9137ee63d14f1f84e706a9a7264769edcb11e5ea53"
        ),
        "pose2sim_multi02.mp4": WheelFile(
            f"{_MULTI}/videos/cam02.mp4", "8895092a7cf26359205a427b7ac2f4a935c2e0bd36d9b7a5140cb33faa468a6b"
        ),
        "pose2sim_multi03.mp4": WheelFile(
            f"{_MULTI}/videos/cam03.mp4", "d3daf48cdf9f5603868ddb99166ddaf9b12279e7ce968922926560d5fd3f0c99"
        ),
        "pose2sim_multi04.mp4": WheelFile(
            f"{_MULTI}/videos/cam04.mp4", "1490149dc40e7301fa5ceae23862b044ba5c398a8b2a40df21ed894702728c09"
        ),
        CALIBRATION: WheelFile(
            f"{_SINGLE}/calibration/Calib_scene.toml",
            "a1b2f71551838a8aaa193839c9776b67dfa34bb38dd0ed01b481c9b4d4eef963",
        ),
    },
)
SPORTS2D = SampleWheel(
    "sports2d==0.8.26",
    "a552358a1d4a88091c4ace93bce6b4e99b1e7c9d50a528f8bcaa49f81282755f",
    10,
    {
        "sports2d_demo.mp4": WheelFile(
            "Sports2D/Demo/demo.mp4", "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039"
        )
    },
)
SAMPLE_VIDEOS = tuple(
    name.removesuffix(".mp4")
    for wheel in (POSE2SIM, SPORTS2D)
    for name in wheel.files
    if name.endswith(".mp4")
)
"""The names that `sample_video` knows: four synchronous views of one person (pose2sim_cam01 to 04, calibrated
by `sample_calibration`), four of two people (pose2sim_multi01 to 04), and a small, back-lit one."""


def sample_video(name: str, report: Report = print_line) -> Path:
    """A sample video by its name; the first call downloads it with all that is in the same wheel.

    Raises:
        ValueError: no such sample, or it cannot be downloaded.
    """
    if name not in SAMPLE_VIDEOS:
        raise ValueError(f"no sample video {name!r}; there are {', '.join(SAMPLE_VIDEOS)}")
    return _sample_file(f"{name}.mp4", report)


def sample_calibration(report: Report = print_line) -> Path:
    """The calibration file (TOML of Pose2Sim) of the videos pose2sim_cam01 to 04."""
    return _sample_file(CALIBRATION, report)


def _sample_file(name: str, report: Report) -> Path:
    wheel = next(wheel for wheel in (POSE2SIM, SPORTS2D) if name in wheel.files)
    folder = cache_folder() / "samples"
    if not has_sha256(folder / name, wheel.files[name].sha256):
        files = {folder / other: file for other, file in wheel.files.items()}
        fetch_from_wheel(wheel.requirement, wheel.sha256, files, report, megabytes=wheel.megabytes)
    return folder / name
