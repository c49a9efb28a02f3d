"""The live page: it shows poses as they come."""

import socket

import numpy as np
import pytest
import torch
from browser import chromium, difference, seen
from filmed import people

from spgnet.geometry.camera import opencv_camera
from spgnet.lifting.streaming import LivePose
from spgnet.view.live import TRAIL, LiveDisplay

pytest.importorskip("viser")


def poses() -> list[LivePose]:
    motion = people()[0]
    rows = zip(motion.joints, motion.confidence, motion.pixels, motion.timestamps, strict=True)
    return [LivePose(joints, sure, pixels, float(time)) for joints, sure, pixels, time in rows]


def unplaced() -> object:
    return opencv_camera([[1100, 0, 640], [0, 1090, 360], [0, 0, 1]], None, (1280, 720))


def image() -> np.ndarray:
    return np.full((225, 400, 3), 90, np.uint8)


def test_a_page_is_there_until_it_is_closed():
    with LiveDisplay(port=0) as display:
        port = int(display.url.rpartition(":")[2])
        display.show(None, people()[0].camera, None, "nothing yet")
        with pytest.raises(ValueError, match=f"cannot listen on 127.0.0.1:{port}"):
            LiveDisplay(port=port)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_the_body_is_the_latest_pose_and_the_trail_is_of_the_last_seconds():
    camera, stream = people()[0].camera, poses()
    with LiveDisplay(port=0) as display:
        for index in range(200):
            display.show(stream[index % 60]._replace(time=index / 16), camera, None, "")
        person = display._stage._person
        world = camera.camera_to_world(torch.from_numpy(stream[199 % 60].joints))
        np.testing.assert_allclose(person._joints.batched_positions[0], world[0], atol=1e-5)
        assert len(person._path) == TRAIL * 16
        np.testing.assert_allclose(person._past.points[-1, 1, :2], world[0, :2], atol=1e-5)


def test_the_floor_of_a_camera_without_a_place_is_under_the_lowest_joint_so_far():
    low, first = poses()[0], poses()[0]
    low = low._replace(joints=low.joints + np.array([0, 0.3, 0], np.float32), time=1.0)
    with LiveDisplay(port=0) as display:
        heights = []
        for index, pose in enumerate((first, low, first)):
            display.show(pose._replace(time=float(index)), unplaced(), None, "")
            heights.append(display._stage._floor)
    assert heights[0] == pytest.approx(-first.joints[:, 1].max() - 0.08, abs=0.01)
    assert heights[1] == pytest.approx(heights[0] - 0.3, abs=0.011)
    assert heights[2] == heights[1]
    with LiveDisplay(port=0) as display:
        display.show(first, people()[0].camera, None, "")
        assert display._stage._floor == 0


def test_a_browser_sees_the_words_the_person_and_how_they_move():
    camera, stream = people()[0].camera, poses()
    with LiveDisplay(port=0) as display, chromium(webgl=True) as browser:
        display.show(None, camera, image(), "30 frames/s; no pose yet")
        page = browser.new_page(viewport={"width": 640, "height": 420})
        page.goto(display.url)
        page.get_by_text("no pose yet").wait_for(timeout=20_000)
        page.wait_for_timeout(1000)
        pictures = [seen(page)[:, :300]]
        for index in (0, 40):
            display.show(stream[index], camera, image(), "25 frames/s; look-ahead 0 frames")
            page.wait_for_timeout(1000)
            pictures.append(seen(page)[:, :300])
            assert difference(*pictures[-2:]) > 0.005
        page.get_by_text("25 frames/s").wait_for(timeout=5000)
        page.get_by_role("button", name="Top").click()
        page.wait_for_timeout(1000)
        assert difference(pictures[-1], seen(page)[:, :300]) > 0.01
