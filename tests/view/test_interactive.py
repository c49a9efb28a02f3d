"""The live 3D view: its handle, its geometry, and what a browser shows of it."""

import socket
import time
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from browser import chromium, difference, seen
from filmed import people

from spgnet.view.interactive import serve
from spgnet.view.live_scene import along_bones, joint_colours, vertical_field, with_skull

pytest.importorskip("viser")


@pytest.fixture
def asked() -> list[int]:
    return []


@pytest.fixture
def view(asked):
    def image(moment: int) -> np.ndarray | None:
        asked.append(moment)
        return np.full((1080, 1920, 3), moment, np.uint8)

    with serve(people(2), port=0, images=image) as running:
        yield running


def test_the_handle_seeks_plays_and_ends(view, asked):
    assert view.url.startswith("http://127.0.0.1:")
    assert (view.frames, view.playing) == (60, True)
    view.seek(25)
    assert (view.frame, view.playing, asked[-1]) == (25, False, 25)
    view.seek(1000)
    assert view.frame == 59
    view.play()
    deadline = time.monotonic() + 5
    while view.frame in (59, 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert 0 < view.frame < 59
    port = int(view.url.rpartition(":")[2])
    view.close()
    view.close()
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_busy_port_is_said(view):
    port = int(view.url.rpartition(":")[2])
    with pytest.raises(ValueError, match=rf"cannot listen on 127\.0\.0\.1:{port} .* choose another port"):
        serve(people(), port=port)


def test_what_cannot_be_shown_is_refused_before_anything_runs():
    motion = people()[0]
    with pytest.raises(ValueError, match="track 1: joints are NaN"):
        serve([replace(motion, joints=motion.joints * np.float32(np.nan))], port=0)


def test_a_single_frame_can_be_looked_at():
    motion = people()[0]
    one = {name: getattr(motion, name)[:1] for name in ("joints", "confidence", "pixels", "timestamps")}
    with serve([replace(motion, **one)], port=0) as view:
        assert (view.frames, view.playing) == (1, False)


def test_limbs_lie_along_their_bones():
    joints = people()[0].world[7].astype(np.float64)
    joints[3] = joints[2] - [0, 0, 0.4]  # A shin that hangs straight down.
    rotations, lengths = along_bones(joints)
    turned = roma.unitquat_to_rotmat(roma.quat_wxyz_to_xyzw(torch.from_numpy(rotations)))[..., 2].numpy()
    parents = np.array([0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15])
    np.testing.assert_allclose(joints[parents] + turned * lengths[:, None], joints[1:], atol=1e-6)


def test_the_skull_ends_at_the_vertex():
    joints = people()[0].world[7].astype(np.float64)
    placed = with_skull(joints)
    np.testing.assert_allclose(np.linalg.norm(joints[10] - placed[10]), 0.1)
    np.testing.assert_array_equal(placed[:10], joints[:10])


def test_sides_have_colours_and_uncertain_joints_are_paler():
    sure, unsure = people(2)
    colours = joint_colours(sure, (10, 200, 10)).astype(int)
    assert colours[0, 4].argmax() == 0, "left is orange"
    assert colours[0, 1].argmax() == 2, "right is blue"
    assert colours[0, 0].argmax() == 1, "the middle has the person's colour"
    np.testing.assert_array_less(colours[0, 14].min(), joint_colours(unsure, (10, 200, 10))[0, 14].min())


def test_the_frustum_has_the_field_of_the_camera():
    camera = people()[0].camera
    edge = torch.tensor([[0.0, -np.tan(vertical_field(camera) / 2), 1.0]])
    straight = replace(camera, radial=torch.zeros(3), tangential=torch.zeros(2))
    assert straight.camera_to_image(edge)[0, 1].item() == pytest.approx(0, abs=0.01)


def test_a_browser_shows_the_motion_and_its_controls(view):
    view.seek(5)
    with chromium(webgl=True) as browser:
        context = browser.new_context(viewport={"width": 640, "height": 420})
        page = context.new_page()
        hosts = set()
        page.on("request", lambda request: hosts.add(request.url.partition("://")[2].partition("/")[0]))
        page.goto(view.url)
        page.get_by_role("button", name="Play").wait_for(timeout=20_000)
        assert page.get_by_role("slider").first.is_visible()
        page.wait_for_timeout(1500)
        first = seen(page)[:, :300]
        assert first.std() > 5
        view.seek(45)
        page.wait_for_timeout(500)
        assert difference(first, seen(page)[:, :300]) > 0.005
        page.get_by_role("button", name="Play").click()
        deadline = time.monotonic() + 5
        while not view.playing and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        assert view.playing
        context.close()
    assert {host for host in hosts if host} <= {view.url.removeprefix("http://")}
