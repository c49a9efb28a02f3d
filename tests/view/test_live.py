"""The live page: it shows poses as they come."""

import http.client
import socket
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import roma
import torch
from browser import check_access, chromium, difference, picture_when
from filmed import people

from spgnet.geometry.camera import opencv_camera
from spgnet.lifting.streaming import LivePose
from spgnet.view.live import (
    TRAIL,
    LiveDisplay,
    bone_rotations,
    is_foreign,
    joint_colors,
    vertical_fov,
    with_skull,
)
from spgnet.view.opacity import FAINTEST

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


@pytest.mark.parametrize(
    ("hosts", "origins", "foreign"),
    [
        (["127.0.0.1:8080"], ["http://127.0.0.1:8080"], False),
        (["localhost:8080"], ["http://localhost:8080"], False),
        (["[::1]:8080"], [], False),
        (["localhost:8080"], ["http://localhost:3000"], True),
        (["127.0.0.1:8080"], ["https://site.example"], True),
        (["127.0.0.1:8080"], ["null"], True),
        (["site.example:8080"], ["http://site.example:8080"], True),
        (["127.0.0.1.site.example"], [], True),
        (["localhost", "site.example"], [], True),
        ([], [], True),
        (["[::1"], [], True),
    ],
)
def test_requests_of_pages_of_other_sites_are_foreign(hosts, origins, foreign):
    assert is_foreign(hosts, origins) == foreign


def test_the_web_socket_and_the_page_refuse_foreign_pages():
    with LiveDisplay(port=0) as display:
        address = display.url.removeprefix("http://")
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "viser-v0"}
        for more, status in (
            ({"Origin": f"http://{address}"}, 101),
            ({}, 101),
            ({"Origin": "http://site.example"}, 403),
            ({"Host": "site.example"}, 403),
        ):
            assert _status(address, headers | more) == status
        assert _status(address, {}) == 200
        assert _status(address, {"Host": "site.example"}) == 403


def _status(address: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/", headers=headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_body_is_the_latest_pose_and_the_trail_is_of_the_last_seconds():
    camera, stream = people()[0].camera, poses()
    with LiveDisplay(port=0) as display:
        for index in range(200):
            display.show(stream[index % 60]._replace(time=index / 16), camera, None, "")
        person = display._scene._person
        world = camera.camera_to_world(torch.from_numpy(stream[199 % 60].joints))
        np.testing.assert_allclose(person.joints.batched_positions[0], world[0], atol=1e-5)
        assert len(person._path) == TRAIL * 16
        np.testing.assert_allclose(person.trail.points[-1, 1, :2], world[0, :2], atol=1e-5)


def test_the_floor_of_a_camera_without_a_place_is_under_the_lowest_joint_so_far():
    low, first = poses()[0], poses()[0]
    low = low._replace(joints=low.joints + np.array([0, 0.3, 0], np.float32), time=1.0)
    with LiveDisplay(port=0) as display:
        heights = []
        for index, pose in enumerate((first, low, first)):
            display.show(pose._replace(time=float(index)), unplaced(), None, "")
            heights.append(display._scene.floor)
    assert heights[0] == pytest.approx(-first.joints[:, 1].max() - 0.08, abs=0.01)
    assert heights[1] == pytest.approx(heights[0] - 0.3, abs=0.011)
    assert heights[2] == heights[1]
    with LiveDisplay(port=0) as display:
        display.show(first, people()[0].camera, None, "")
        assert display._scene.floor == 0


def test_limbs_lie_along_their_bones():
    joints = people()[0].world[7].astype(np.float64)
    joints[3] = joints[2] - [0, 0, 0.4]  # A shin that hangs straight down.
    rotations, lengths = bone_rotations(joints)
    along = roma.unitquat_to_rotmat(roma.quat_wxyz_to_xyzw(torch.from_numpy(rotations)))[..., 2].numpy()
    parents = np.array([0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15])
    np.testing.assert_allclose(joints[parents] + along * lengths[:, None], joints[1:], atol=1e-6)


def test_the_skull_ends_at_the_top_of_the_head():
    joints = people()[0].world[7].astype(np.float64)
    moved = with_skull(joints)
    np.testing.assert_allclose(np.linalg.norm(joints[10] - moved[10]), 0.1)
    np.testing.assert_array_equal(moved[:10], joints[:10])


def test_sides_have_colors_and_uncertain_joints_are_paler():
    sure, unsure = joint_colors(np.full(17, 1.0)).astype(int), joint_colors(np.full(17, FAINTEST)).astype(int)
    assert sure[4].argmax() == 0, "left is orange"
    assert sure[1].argmax() == 2, "right is blue"
    assert np.ptp(sure[0]) < 30, "the middle is grey"
    assert (unsure.min(axis=1) > sure.min(axis=1)).all()


def test_the_frustum_has_the_field_of_view_of_the_camera():
    camera = people()[0].camera
    edge = torch.tensor([[0.0, -np.tan(vertical_fov(camera) / 2), 1.0]])
    pinhole = replace(camera, radial=torch.zeros(3), tangential=torch.zeros(2))
    assert pinhole.camera_to_image(edge)[0, 1].item() == pytest.approx(0, abs=0.01)


def changed(before: np.ndarray, share: float, after: np.ndarray) -> bool:
    return difference(before, after) > share


def test_the_page_has_a_title_and_its_controls_have_names_contrast_and_room():
    with LiveDisplay(port=0) as display, chromium(webgl=True) as browser:
        display.show(poses()[0], people()[0].camera, image(), "25 frames/s")
        page = browser.new_page(viewport={"width": 400, "height": 800})
        page.goto(display.url)
        page.get_by_role("button", name="Top").wait_for(timeout=60_000)
        assert page.title() == "SPGNet live"
        for width in (400, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(300)
            check_access(page, target_size=True)
            for name in ("Front", "Side", "Top"):
                box = page.get_by_role("button", name=name).bounding_box()
                assert 0 <= box["x"] <= width - box["width"]


def test_a_browser_sees_the_status_the_person_and_how_they_move():
    camera, stream = people()[0].camera, poses()
    with LiveDisplay(port=0) as display, chromium(webgl=True) as browser:
        display.show(None, camera, image(), "30 frames/s; no pose yet")
        page = browser.new_page(viewport={"width": 640, "height": 420})
        page.goto(display.url)
        page.get_by_text("no pose yet").wait_for(timeout=20_000)
        before = picture_when(page, lambda picture: picture.std() > 3)
        for index in (0, 40):
            display.show(stream[index], camera, image(), "25 frames/s; look-ahead 0 frames")
            before = picture_when(page, partial(changed, before, 0.005))
        page.get_by_text("25 frames/s").wait_for(timeout=20_000)
        page.get_by_role("button", name="Top").click()
        picture_when(page, partial(changed, before, 0.01))
