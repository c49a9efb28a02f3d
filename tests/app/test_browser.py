"""The app as people use it: in a real browser, in a process of its own."""

import io
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import as_file, files
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import pytest

from spgnet.datasets.mocap.bvh import read_bvh
from spgnet.keypoints import Keypoints, load_keypoints, save_keypoints
from spgnet.lifting import load_motion
from spgnet.video import VideoWriter, open_frames
from view.browser import check_access, chromium, difference, seen

pytestmark = pytest.mark.skipif(not find_spec("gradio"), reason="Gradio is not installed (extra app)")
_PATIENCE = 240_000
"""Milliseconds for what the app works on; a loaded machine is slow."""
SHARED = Path(__file__).resolve().parents[3] / "shared"
_RUN = "from spgnet.cli import main; main()"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A running app: its address, and the folder of its results."""
    folder = tmp_path_factory.mktemp("app")
    out = folder / "results"
    command = [sys.executable, "-c", _RUN, "app", "--port", "0", "--no-browser", "--out", str(out)]
    uploads = folder / "temporary"
    uploads.mkdir()
    environment = {**os.environ, "TMPDIR": str(uploads)}
    if (SHARED / "detector").is_dir():
        environment["SPGNET_DETECTOR_DIR"] = str(SHARED / "detector")
    with (
        (folder / "errors").open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        try:
            first = process.stdout.readline()
            assert "http" in first, (folder / "errors").read_text()
            address = re.findall(r"http://\S+", first)[0]
            yield address, out
            browser.new_page().goto(address)  # which is open when the app ends
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
    assert "Traceback" not in (folder / "errors").read_text()
    assert list(uploads.iterdir()) == []


@pytest.fixture(scope="module")
def person() -> Keypoints:
    """The person of the sample."""
    with as_file(files("spgnet").joinpath("samples", "pose2sim_cam01.npz")) as sample:
        (person,) = load_keypoints(sample)
    return person


@pytest.fixture(scope="module")
def short_clip(person, tmp_path_factory) -> Path:
    """The first frames of the sample."""
    path = tmp_path_factory.mktemp("clip") / "short walk.npz"
    save_keypoints(path, person.frames(slice(0, 20)))
    return path


@pytest.fixture(scope="module")
def long_clip(person, tmp_path_factory) -> Path:
    """Five minutes, to and fro: much more work than it takes to cancel it."""
    path = tmp_path_factory.mktemp("clip") / "long walk.npz"
    once = np.concatenate((person.points, person.points[::-1]))
    points = np.concatenate([once] * (300 * 60 // len(once)))
    save_keypoints(path, replace(person, points=points, timestamps=np.arange(len(points)) / 60))
    return path


@pytest.fixture
def open_app(browser, app) -> Iterator[Callable[..., Any]]:
    """Opens the app; fails if a page asked another host, or complained."""
    hosts, complaints, contexts = set(), [], []

    def opened(**options: Any) -> Any:
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(app[0])
        page.locator("#start").wait_for(timeout=60_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert hosts <= {urlsplit(app[0]).netloc, ""}  # "" is that of data and blobs
    assert not complaints


def drop(page: Any, *paths: Path) -> None:
    """Add files, and start."""
    add(page, *paths)
    page.locator("#start").click()


def add(page: Any, *paths: Path) -> None:
    """Add files to those that are there."""
    page.locator("#files input[type=file]").set_input_files([str(path) for path in paths])
    for path in paths:
        page.locator("#added").get_by_text(path.name).first.wait_for(timeout=60_000)


def lift(page: Any) -> Any:
    """Make the motion of those who are ticked: the frame of the page in 3D."""
    page.locator("#make").click(timeout=_PATIENCE)
    page.locator("iframe.motion").wait_for(timeout=_PATIENCE)
    frame = page.locator("iframe.motion").element_handle().content_frame()
    frame.wait_for_selector("body[data-ready=true]", timeout=60_000)
    return frame


def test_a_dropped_file_becomes_a_figure_that_moves_and_files_that_other_programs_read(
    open_app, app, short_clip, tmp_path
):
    page = open_app(reduced_motion="reduce")
    drop(page, short_clip)
    frame = lift(page)
    assert frame.evaluate("[spgnet.frame, spgnet.frames]") == [0, 20]
    scene = page.locator("iframe.motion")
    first = seen(scene)
    assert first.std() > 5
    frame.locator("#scrub").fill("15")
    page.wait_for_timeout(300)
    assert frame.evaluate("spgnet.frame") == 15
    assert difference(first, seen(scene)) > 0.001
    page.get_by_role("tab", name="Download").click()
    with page.expect_download() as bvh:
        page.get_by_role("link", name="BVH").click()
    bvh.value.save_as(tmp_path / "walk.bvh")
    read = read_bvh(tmp_path / "walk.bvh")
    (result,) = app[1].iterdir()
    lifted = load_motion(result / "motion.npz")
    assert len(read.positions) == 20
    steps = [
        np.linalg.norm(np.diff(path, axis=0), axis=1) for path in (read.positions[:, 0], lifted.world[:, 0])
    ]
    np.testing.assert_allclose(steps[0], 100 * steps[1], atol=0.1)  # the pelvis, in centimetres
    with page.expect_download() as everything:
        page.get_by_role("link", name="Download everything").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(everything.value.path()).read_bytes()))
    assert {Path(name).name for name in archive.namelist()} == {path.name for path in result.iterdir()}
    page.get_by_role("tab", name="Overlay").click()
    page.wait_for_function("document.querySelector('video.overlay')?.readyState > 0")

    later = open_app()
    later.wait_for_function("document.querySelector('#recent input')?.value")
    later.locator("#open").click()
    later.locator("iframe.motion").wait_for()
    assert later.locator("#which").is_hidden()


def test_a_video_becomes_a_figure_an_overlay_that_plays_and_a_bvh_file(open_app, tmp_path):
    if not (SHARED / "video").is_dir() or not (SHARED / "detector").is_dir():
        pytest.skip("the shared videos and the detector are not beside this checkout")
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra video)")
    with VideoWriter(tmp_path / "Größe & Gang.mp4", 60.0) as writer:
        for frame in islice(open_frames(SHARED / "video" / "pose2sim_cam01.mp4"), 24):
            writer.write(frame.image[::2, ::2])
    page = open_app()
    drop(page, tmp_path / "Größe & Gang.mp4")
    frame = lift(page)
    assert frame.evaluate("spgnet.frames") == 24
    page.get_by_role("tab", name="Overlay").click()
    page.locator("video.overlay").evaluate("video => video.play()")
    page.wait_for_function("document.querySelector('video.overlay').currentTime > 0.1")
    page.get_by_role("tab", name="Download").click()
    with page.expect_download() as bvh:
        page.get_by_role("link", name="BVH").click()
    bvh.value.save_as(tmp_path / "walk.bvh")
    read = read_bvh(tmp_path / "walk.bvh")
    assert len(read.positions) == 24
    height = np.ptp(read.positions[0], axis=0).max()
    assert 130 < height < 210  # centimetres, from the ankles to the top of the head


def test_files_are_added_to_those_before_and_those_that_are_broken_are_told_in_sentences(
    open_app, short_clip, tmp_path
):
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    page = open_app()
    add(page, short_clip)
    add(page, tmp_path / "broken.mp4", tmp_path / "empty.mp4")
    assert page.locator("#added input:checked").count() == 3
    page.locator("#added").get_by_text(short_clip.name).click()  # not this one
    page.locator("#start").click()
    alert = page.locator("#progress [role=alert]")
    alert.wait_for(timeout=_PATIENCE)
    lines = alert.inner_text().splitlines()
    assert [line.split(":")[0] for line in lines if line] == ["broken.mp4", "empty.mp4"]
    assert lines[0].startswith("broken.mp4: not a readable video")
    assert page.locator("#make").is_hidden()
    page.locator("#added").get_by_text(short_clip.name).click()
    page.locator("#start").click()
    page.locator("#people fieldset").first.wait_for(timeout=_PATIENCE)
    assert page.locator("#people fieldset").count() == 1
    page.locator("#make").wait_for(timeout=_PATIENCE)


def test_a_wrong_height_is_told_before_the_work(open_app, short_clip):
    page = open_app(bypass_csp=True)
    drop(page, short_clip)
    page.locator("#height input").fill("tall", timeout=_PATIENCE)
    page.locator("#make").click()
    page.get_by_text("The height is 'tall', expected something like").wait_for()
    check_access(page)


def test_two_people_use_it_at_once_and_a_cancelled_job_leaves_nothing(open_app, app, short_clip, long_clip):
    before = set(app[1].iterdir()) if app[1].exists() else set()
    one, other = open_app(), open_app(reduced_motion="reduce")
    for page, clip in ((one, long_clip), (other, short_clip)):
        drop(page, clip)
        page.locator("#make").wait_for(timeout=_PATIENCE)
    one.locator("#make").click()
    one.locator("#cancel").wait_for()
    other.locator("#make").click()
    other.locator("#cancel").wait_for()
    one.locator("#cancel").click()
    one.get_by_text("Cancelled.").wait_for(timeout=_PATIENCE)
    assert one.locator("iframe.motion").count() == 0
    other.locator("iframe.motion").wait_for(timeout=_PATIENCE)
    made = [path for path in app[1].iterdir() if path not in before]
    assert len(made) == 1
    assert not made[0].name.startswith(".")


def test_a_folder_is_lifted_in_one_go(open_app, app, short_clip):
    page = open_app()
    page.get_by_role("button", name="Many videos at once").click()
    page.locator("#start-folder").click()
    page.get_by_text("Write the folder's full path first").wait_for()
    page.locator("#folder input").fill(str(short_clip.parent))
    page.locator("#start-folder").click()
    page.get_by_text("1 of 1 files are done").wait_for(timeout=_PATIENCE)
    page.locator("iframe.motion").wait_for()
    assert (app[1] / short_clip.stem / "motion.bvh").exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_name_enough_contrast_and_room(open_app, app, scheme):
    if not app[1].exists():
        pytest.skip("the test of a dropped file made no result")
    page = open_app(color_scheme=scheme, bypass_csp=True)
    page.wait_for_function("document.querySelector('#recent input')?.value")
    page.locator("#open").click()
    page.locator("iframe.motion").wait_for()
    for name in ("More options", "Many videos at once"):
        page.get_by_role("button", name=name).click()
    for width, height in ((400, 800), (1280, 800), (3840, 2160)):
        page.set_viewport_size({"width": width, "height": height})
        for tab in ("3D motion", "Overlay", "Download"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(200)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        check_access(page)


def test_the_keyboard_reaches_every_step(open_app):
    page = open_app()
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('[id]')?.id || ''"))
    assert {"start", "example"} <= reached


def test_pages_of_other_sites_get_nothing(app):
    for host, expected in (("127.0.0.1", 200), ("evil.example", 403)):
        request = Request(app[0], headers={"Host": host})
        try:
            with urlopen(request) as answer:
                status, policy = answer.status, answer.headers["Content-Security-Policy"]
                assert "default-src 'self'" in policy
        except OSError as error:
            status = error.code
        assert status == expected
