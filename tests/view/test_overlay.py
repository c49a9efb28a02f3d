"""The overlay video: what is drawn where, for every shape of picture, and what it leaves alone."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.rigs import look_at
from spgnet.lifting.motion import Motion
from spgnet.synthetic.procedural import procedural_clips
from spgnet.video import open_frames
from spgnet.view.drawing import blend
from spgnet.view.overlay import Overlay, OverlayStyle, layout, write_overlay
from spgnet.view.panel import JOINT_COLORS, NIGHT
from spgnet.view.reprojection import DETECTED

law = settings(max_examples=25)
SIZE = (608, 1080)
"""A picture that is drawn as large as it is."""
SIZES = [(1080, 1920), (1920, 1080), (3840, 2160), (1000, 1000), (2400, 600), (333, 517), (320, 240)]
WRIST, PELVIS = 13, 0


def _camera(size: tuple[int, int] = SIZE) -> Camera:
    place = torch.tensor([0.0, -5.0, 1.4])
    width, height = size
    focal = 0.9 * max(size)
    matrix = [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
    rotation = look_at(place, torch.tensor([0.0, 0.0, 1.0]))
    return opencv_camera(matrix, [-0.05, 0.01], size, rotation=rotation, position=place)


def _motion(size: tuple[int, int] = SIZE, *, frames: int = 12, aside: float = 0.0, track: int = 1) -> Motion:
    """A person who was detected where they are, in all frames."""
    joints = procedural_clips(1, seed=4, seconds=max(frames, 2) / 25, fps=25.0)[0].joints[:frames]
    joints = joints - joints[:1, :1] * torch.tensor([1.0, 1.0, 0.0]) + torch.tensor([aside, 0.0, 0.0])
    camera = _camera(size)
    seen = camera.world_to_camera(joints)
    return Motion(
        joints=seen.numpy(),
        confidence=np.ones((frames, 17), np.float32),
        pixels=camera.camera_to_image(seen).numpy(),
        timestamps=np.arange(frames) / 25,
        camera=camera,
        camera_source="a test",
        track=track,
    )


def _image(size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def _at(picture: np.ndarray, pixel: np.ndarray) -> list[int]:
    x, y = np.rint(pixel).astype(int)
    return picture[y, x].tolist()


def _like(color: list[int], expected: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(np.subtract(color, expected)).max() <= tolerance)


# --- The frame ----------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", ["auto", "beside", "below"])
@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_even_and_within_its_limits_for_every_shape_of_picture(size, panel):
    style = OverlayStyle(panel=panel)
    places = layout(size, style)
    assert all(side % 2 == 0 for pair in (places.frame, places.picture, places.panel) for side in pair)
    assert places.frame[0] <= 1920
    assert places.frame[1] <= 1080
    assert places.picture[0] / places.picture[1] == pytest.approx(size[0] / size[1], rel=0.02)
    assert np.array_equal(np.add(places.corner, places.panel), places.frame)
    assert min(places.panel) >= 320


@pytest.mark.parametrize("size", SIZES)
def test_every_shape_of_picture_is_drawn_with_and_without_an_image(size):
    overlay = Overlay([_motion(size)])
    for image in (_image(size), None):
        drawn = overlay.draw(image, 3)
        assert drawn.shape == (*overlay.layout.frame[::-1], 3)
        assert drawn.dtype == np.uint8


def test_a_frame_of_another_size_is_refused():
    with pytest.raises(ValueError, match="frame 2 has 1080x608 pixels, but the motion's camera has 608x1080"):
        Overlay([_motion()]).draw(_image((1080, 608)), 2)


@pytest.mark.parametrize("bad", [{"width": 1281}, {"height": 100}, {"sway": -1.0}, {"sway": 400.0}])
def test_an_impossible_style_is_refused(bad):
    with pytest.raises(ValueError, match="an overlay's"):
        OverlayStyle(**bad)


def test_drawing_leaves_the_image_alone_and_remembers_nothing():
    overlay, image = Overlay([_motion()]), _image()
    before = image.copy()
    first = overlay.draw(image, 5)
    overlay.draw(_image(seed=1), 9)
    np.testing.assert_array_equal(overlay.draw(image, 5), first)
    np.testing.assert_array_equal(image, before)


# --- The filmed picture -------------------------------------------------------------------------


def test_away_from_the_people_and_the_legend_the_picture_is_the_image():
    motion, image = _motion(), _image()
    drawn = Overlay([motion]).draw(image, 5)[:, : SIZE[0]]
    low, high = motion.pixels[5].min(axis=0) - 20, motion.pixels[5].max(axis=0) + 20
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    body = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
    legend = (x < 240) & (y > SIZE[1] - 90)
    np.testing.assert_array_equal(drawn[~body & ~legend], image[~body & ~legend])
    assert (drawn[body] != image[body]).any()


def test_a_detected_joint_has_its_colour_and_one_that_was_not_seen_is_faint():
    motion = _motion()
    pixels, confidence = motion.pixels.copy(), motion.confidence.copy()
    pixels[:, WRIST], pixels[:, 16] = (100, 200), (500, 200)
    confidence[:, 16] = 0
    drawn = Overlay([replace(motion, pixels=pixels, confidence=confidence)]).draw(None, 5)
    assert _like(_at(drawn, pixels[5, WRIST]), DETECTED, 0)
    faint = _at(drawn, pixels[5, 16])
    assert 30 < max(faint) < 100


@pytest.mark.parametrize("fault", ["not seen", "uncertain"])
def test_a_limb_that_was_not_seen_or_is_uncertain_is_faint_in_the_picture_and_in_the_panel(fault):
    motion = _motion()
    joints = motion.joints.copy()
    joints[:, 12:14] = joints[:, 11:12] + [[[0, -0.3, 0], [0, -0.6, 0]]]  # the left arm raised,
    joints[:, 15:17] = joints[:, 14:15] + [[[0, -0.3, 0], [0, -0.6, 0]]]  # and the right, beside the head
    joints[:, [12, 13]] += np.sign(joints[:, 11:12] - joints[:, 14:15]) * [0.3, 0, 0]
    joints[:, [15, 16]] += np.sign(joints[:, 14:15] - joints[:, 11:12]) * [0.3, 0, 0]
    motion = replace(motion, joints=joints, pixels=np.full_like(motion.pixels, 5))
    confidence, uncertainty = motion.confidence.copy(), np.full_like(motion.confidence, 0.02)
    if fault == "not seen":
        confidence[:, WRIST] = 0
    else:
        uncertainty[:, WRIST] = 0.3
    clear, faint = (
        Overlay([motion]),
        Overlay([replace(motion, confidence=confidence, uncertainty=uncertainty)]),
    )
    drawn = [overlay.draw(None, 5).astype(int) for overlay in (clear, faint)]
    for parent, child, certain in ((WRIST - 1, WRIST, False), (15, 16, True)):
        in_picture = clear.picture.reprojected[0][5, [parent, child]].mean(axis=0)
        in_panel = clear.panel.joints[5, 0, [parent, child], :2].mean(axis=0) + clear.layout.corner
        for place in (in_picture, in_panel):
            before, after = (np.abs(np.subtract(_at(picture, place), NIGHT)).max() for picture in drawn)
            assert after == before if certain else after < 0.6 * before


@pytest.mark.parametrize("size", [SIZE, (1216, 2160), (304, 540)])
def test_the_reprojected_bones_have_the_colours_of_their_sides(size):
    motion = _motion(size)
    away = replace(motion, pixels=np.full_like(motion.pixels, 5))
    drawn = Overlay([away]).draw(None, 5)
    scale = SIZE[0] / size[0]
    for parent, child in ((1, 2), (4, 5)):
        middle = motion.pixels[5, [parent, child]].mean(axis=0) * scale
        assert _like(_at(drawn, middle), blend(JOINT_COLORS[child], (10, 11, 15), 0.2))


def test_joints_behind_the_camera_and_far_outside_of_the_picture_do_no_harm():
    motion = _motion()
    joints, pixels = motion.joints.copy(), motion.pixels.copy()
    joints[0, :, 2] *= -1
    joints[1, 2, 2] = 0
    joints[2, 3] = (4000, 3, 0.06)
    joints[3] = (1e6, 1e6, 10)
    pixels[4], pixels[5, 3] = 1e9, -1e9
    overlay = Overlay([replace(motion, joints=joints, pixels=pixels)])
    pictures = [overlay.draw(None, frame)[:, : SIZE[0]] for frame in range(len(motion))]
    assert all((picture > 100).any() for picture in pictures)
    assert not overlay.picture.in_front[0][0].any()


def test_a_lens_does_not_fold_joints_far_outside_back_into_the_picture():
    motion = _motion()
    camera = replace(motion.camera, radial=torch.tensor([-0.3, 0.0, 0.0]))
    joints = motion.joints.copy()
    joints[:, 3] = (7.3, 0, 4)  # r = 1.82, where this lens is back at 0
    folded = camera.camera_to_image(torch.from_numpy(joints))[0, 3].tolist()
    assert 0 < folded[0] < SIZE[0]
    overlay = Overlay([replace(motion, camera=camera, joints=joints)])
    assert overlay.picture.reprojected[0][0, 3, 0] > 1.5 * SIZE[0]


# --- People -------------------------------------------------------------------------------------


def _unseen(motion: Motion, frames: slice) -> Motion:
    confidence = motion.confidence.copy()
    confidence[frames] = 0
    return replace(motion, confidence=confidence)


def test_a_person_is_not_drawn_before_they_come_and_after_they_left_but_is_in_gaps():
    empty = Overlay([_unseen(_motion(), slice(None))]).draw(None, 0)[:, : SIZE[0]]
    motion = _unseen(_unseen(_unseen(_motion(), slice(0, 2)), slice(5, 7)), slice(9, None))
    overlay = Overlay([motion])
    drawn = [(overlay.draw(None, frame)[:, : SIZE[0]] != empty).any() for frame in range(len(motion))]
    assert drawn == [False] * 2 + [True] * 7 + [False] * 3


def test_several_people_are_all_drawn_and_numbered_and_one_alone_is_not_numbered():
    people = [_motion(aside=-0.6), _motion(aside=0.6, track=7)]
    alone, both = Overlay(people[:1]).draw(None, 5), Overlay(people).draw(None, 5)
    for motion in people:
        assert _like(_at(both, motion.pixels[5, WRIST]), DETECTED, 0)
    above = [motion.pixels[5, 10] - (10, 34) for motion in people]
    assert _like(_at(both, above[0]), (118, 230, 150))
    assert _like(_at(both, above[1]), (240, 110, 200))
    assert max(_at(alone, above[0])) < 30


def test_moving_the_person_changes_the_panel_and_so_does_time():
    motion = _motion()
    still = replace(motion, joints=np.repeat(motion.joints[:1], len(motion), axis=0))
    turned = still.joints.copy()
    turned[6:, 13] += (0.2, -0.2, 0)

    def panel(motion: Motion, frame: int, sway: float) -> np.ndarray:
        return Overlay([motion], OverlayStyle(sway=sway)).draw(None, frame)[120:, SIZE[0] :].astype(int)

    first = panel(still, 8, 0.0)
    assert np.abs(panel(still, 7, 0.0) - first).max() < 10
    assert np.abs(panel(replace(still, joints=turned), 8, 0.0) - first).max() > 100
    assert np.abs(panel(still, 8, 12.0) - first).max() > 100


def test_a_single_frame_and_many_people_are_drawn():
    people = [_motion(frames=1, aside=0.3 * person, track=person + 1) for person in range(7)]
    drawn = Overlay(people).draw(_image(), 0)
    assert drawn.shape == (1080, 1920, 3)


def test_people_of_different_videos_are_refused():
    with pytest.raises(ValueError, match="tracks 1 and 2 have different frames"):
        Overlay([_motion(), _motion(frames=11, track=2)])
    with pytest.raises(ValueError, match="tracks 1 and 3 have images of different sizes"):
        Overlay([_motion(), _motion((1080, 608), track=3)])
    with pytest.raises(ValueError, match="no motion"):
        Overlay([])


def test_values_that_are_not_finite_are_refused():
    motion = _motion()
    joints = motion.joints.copy()
    joints[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite in 1 of 12 frames"):
        Overlay([replace(motion, joints=joints)])
    uncertainty = np.ones(joints.shape[:2], np.float32)
    uncertainty[4:6] = np.inf
    with pytest.raises(ValueError, match="uncertainty are NaN or infinite in 2 of 12 frames"):
        Overlay([replace(motion, uncertainty=uncertainty)])


@given(st.floats(0.1, 4.0), st.floats(0.0, 2 * np.pi))
@law
def test_the_speed_of_steady_motion_is_its_speed_in_every_frame(speed: float, heading: float):
    motion = _motion()
    step = speed * motion.timestamps[:, None, None] * np.array([np.cos(heading), 0, np.sin(heading)])
    joints = (motion.joints[:1] + step).astype(np.float32)
    overlay = Overlay([replace(motion, joints=joints)])
    np.testing.assert_allclose(overlay.speed[0], speed, rtol=1e-3)
    np.testing.assert_allclose(overlay.distance[0], np.linalg.norm(joints[:, PELVIS], axis=-1))


# --- The 3D panel ------------------------------------------------------------------------------


def test_the_filming_camera_is_shown_where_there_is_room():
    near, far = _motion(), _motion()
    far = replace(far, camera=replace(far.camera, position=torch.tensor([0.0, -60.0, 1.4])))
    away = far.camera.world_to_camera(torch.from_numpy(near.world)).numpy()
    assert Overlay([near]).panel.camera_visible
    assert not Overlay([replace(far, joints=away)]).panel.camera_visible


def test_people_stand_on_the_floor_even_if_the_cameras_height_is_not_known():
    motion = _motion()
    unknown = opencv_camera(np.diag([900.0, 900.0, 1.0]), None, SIZE)
    overlay = Overlay([replace(motion, camera=unknown)])
    assert overlay.panel.world[..., 2].min() == pytest.approx(0.08, abs=0.01)


# --- The video ----------------------------------------------------------------------------------


def test_the_video_has_a_frame_for_every_frame_and_shows_what_was_drawn(tmp_path):
    overlay = Overlay([_motion(frames=6)], OverlayStyle(640, 360))
    write_overlay(tmp_path / "overlay.mp4", [None] * 6, overlay, 25.0)
    frames = [frame.image for frame in open_frames(str(tmp_path / "overlay.mp4"))]
    assert len(frames) == 6
    for frame, image in enumerate(frames):
        assert np.abs(image.astype(int) - overlay.draw(None, frame)).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


@pytest.mark.parametrize(("count", "message"), [(5, "has 5 frames, the motion 6"), (7, "more than the 6")])
def test_a_video_of_another_length_is_refused_and_nothing_is_left(tmp_path, count, message):
    overlay = Overlay([_motion(frames=6)], OverlayStyle(640, 360))
    with pytest.raises(ValueError, match=message):
        write_overlay(tmp_path / "overlay.mp4", [None] * count, overlay, 25.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError("disk gone"), KeyboardInterrupt()])
def test_a_fault_while_drawing_is_that_of_the_source_and_leaves_neither_file_nor_thread(tmp_path, error):
    before = threading.active_count()
    overlay = Overlay([_motion(frames=6)], OverlayStyle(640, 360))

    def frames() -> Iterator[None]:
        yield from [None] * 3
        raise error

    with pytest.raises(type(error)):
        write_overlay(tmp_path / "overlay.mp4", frames(), overlay, 25.0)
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == before


def test_an_interrupt_while_frames_are_written_stops_reading_and_leaves_nothing(tmp_path):
    before = threading.active_count()
    overlay = Overlay([_motion(frames=60)], OverlayStyle(640, 360))
    read: list[int] = []

    def frames() -> Iterator[None]:
        for index in range(60):
            read.append(index)
            yield None

    def interrupt(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_overlay(tmp_path / "overlay.mp4", frames(), overlay, 25.0, interrupt)
    assert not list(tmp_path.iterdir())
    assert len(read) <= 3 + 2 * (8 + 1)
    assert threading.active_count() == before


def test_the_picture_without_an_image_is_darker_than_the_panel():
    drawn = Overlay([_motion()]).draw(None, 0)
    assert drawn[5, 5].max() < min(NIGHT)
    assert drawn[5, -5].tolist() == list(NIGHT)
