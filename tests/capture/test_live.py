"""``spgnet lift --live``: the poses of the whole clip, one after the other, and what is kept of them."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from capture.conftest import SimulatedDetector
from lifting.people import SIZE, filmed, lifter
from spgnet.camera_files import find_camera
from spgnet.capture import CaptureConfig, live, run_capture
from spgnet.capture.live import (
    LiveRecording,
    SpeedMeter,
    delay_interrupt,
    live_weights,
    run_live,
    show_frames,
)
from spgnet.capture.live_source import (
    FramesAtTimes,
    LiveFrame,
    LiveSource,
    PersonSelector,
    downscale,
    in_real_time,
)
from spgnet.detection import TrackedPerson
from spgnet.errors import InputError
from spgnet.keypoints import Keypoints, load_keypoints, save_keypoints
from spgnet.lifting import load_motion
from spgnet.lifting.streaming import LivePose, lift_live
from spgnet.video import Frame, open_frames


class Page:
    """Remembers what it is shown; Ctrl-C comes in a frame."""

    url = "a page"

    def __init__(self, interrupted_in: int = 10**9) -> None:
        self.interrupted_in = interrupted_in
        self.poses: list[LivePose | None] = []
        self.images: list[np.ndarray | None] = []
        self.words: list[str] = []

    def __call__(self, port: int) -> "Page":
        return self

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def show(self, pose, camera, image, words) -> None:
        self.poses.append(pose)
        self.images.append(image)
        self.words.append(words)
        if len(self.poses) == self.interrupted_in:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def untrained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live.Lifter, "from_pretrained", classmethod(lambda cls, name, device: lifter()))


@pytest.fixture
def walk() -> Keypoints:
    """A keypoint file of a walk, played twice as fast so that the test need not wait for long."""
    keypoints = replace(filmed(40)[0], timestamps=np.arange(40) / 60)
    save_keypoints(Path("fast.npz"), keypoints)
    return keypoints


def joints(poses) -> np.ndarray:
    return np.stack([pose.joints for pose in poses if pose is not None])


def run(*, page: Page | None = None, **options) -> tuple[dict[str, Path], Page, list[str]]:
    page, said = page or Page(), []
    files = run_live(CaptureConfig(**options), said.append, display=page, detector=SimulatedDetector())
    assert page.closed
    return files, page, said


def test_a_live_clip_has_the_poses_of_the_streaming_lifter(walk):
    files, page, said = run(input="fast.npz")
    whole = joints(lift_live(lifter(), walk))
    np.testing.assert_array_equal(joints(page.poses), whole[:32])
    motion = load_motion(files["motion"])
    np.testing.assert_array_equal(motion.joints, whole)
    np.testing.assert_allclose(motion.timestamps, walk.timestamps)
    assert [pose is None for pose in page.poses] == [True] * 8 + [False] * 32
    assert "8 frames (0.1 s) late" in said[0]
    assert "a page" in said[1]
    assert "look-ahead 8 frames" in page.words[-1]
    assert "no pose yet" in page.words[0]
    assert any(line.startswith("40 frames shown; ") for line in said)


def test_the_world_of_a_recording_is_levelled_like_that_of_a_clip(walk):
    motion = load_motion(run(input="fast.npz", out=Path("level"))[0]["motion"])
    plain = load_motion(run(input="fast.npz", out=Path("plain"), align_to_gravity=False)[0]["motion"])
    assert motion.camera.position[2] != 0
    assert plain.camera.position.tolist() == [0, 0, 0]
    assert "default field of view" in plain.camera_source


def test_remarks_on_keypoints_and_camera_are_said_and_kept_in_the_motion(walk):
    Path("pose").mkdir()
    for frame, pose in enumerate(np.nan_to_num(walk.points[:20]).tolist()):
        twice = [{"pose_keypoints_2d": [number for point in pose for number in point]}] * 2
        Path(f"pose/cam01_{frame:06d}.json").write_text(json.dumps({"people": twice}))
    options = {"keypoint_set": "human36m17", "fps": 60.0, "image_size": walk.image_size}
    files, _, said = run(input="pose", **options)
    told = "people are detected twice in 20 frames; the less sure detection is merged"
    assert told in said
    assert any(line.startswith("distances scale with the focal length") for line in said)
    assert load_motion(files["motion"]).remarks == (told,)


def test_a_recording_is_assessed_like_a_clip(walk):
    points = np.where(np.isin(np.arange(17), [0, 1, 4])[:, None], np.nan, walk.points)
    save_keypoints(Path("upper.npz"), replace(walk, points=points))
    files, _, said = run(input="upper.npz")
    assert "hips_never_seen" in load_motion(files["motion"]).quality.faults
    assert any(line.startswith("warning: person 1: the hips are never seen") for line in said)


def test_keypoints_that_cannot_be_believed_are_refused_before_anything_is_shown_unless_forced(walk):
    shares = walk.points / [*walk.image_size, 1]
    save_keypoints(Path("shares.npz"), replace(walk, points=shares))
    with pytest.raises(InputError, match=r"shares.npz: the keypoints are not image coordinates .*--force"):
        run_live(CaptureConfig(input="shares.npz"), print, display=Page())
    files, _, _ = run(input="shares.npz", force=True)
    assert "not_image_coordinates" in load_motion(files["motion"]).quality.faults


def test_ctrl_c_keeps_the_frames_so_far(walk):
    files, page, said = run(input="fast.npz", page=Page(interrupted_in=25))
    assert len(page.poses) == 25
    assert "stopped" in said
    part = joints(lift_live(lifter(), walk.frames(slice(0, 25))))
    np.testing.assert_array_equal(load_motion(files["motion"]).joints, part)


def test_ctrl_c_while_detecting_keeps_the_frames_so_far(video, monkeypatch):
    detect = SimulatedDetector.pose

    def interrupted(self: SimulatedDetector, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        if self.looks == 12:
            raise KeyboardInterrupt
        return detect(self, image, boxes)

    monkeypatch.setattr(SimulatedDetector, "pose", interrupted)
    files, _, _ = run(input="walk.mp4")
    assert len(load_motion(files["motion"])) == len(load_keypoints(files["keypoints"])[0]) == 12


def test_ctrl_c_does_not_cut_a_frame_in_two():
    done = []

    def frame() -> None:
        with delay_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        frame()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_video_is_shown_with_the_picture_that_belongs_to_each_pose(video):
    files, page, _ = run(input="walk.mp4", html=Path("page.html"), export=("bvh",), height=1.8)
    assert set(files) == {"motion", "keypoints", "bvh", "page"}
    assert all(path.is_file() for path in files.values())
    motion = load_motion(files["motion"])
    assert len(motion) == 30
    for pose, image in zip(page.poses, page.images, strict=True):
        assert image is not None
        assert image.shape == (400, 225, 3)
        if pose is not None:
            assert image.mean() == pytest.approx(60 + 60 * pose.time, abs=1.5)
    again = run_capture(CaptureConfig(input=str(files["keypoints"]), out=Path("again")))
    assert len(again.motions[0]) == 30


def test_a_video_in_slow_motion_has_the_times_at_which_it_was_filmed(video):
    files, page, _ = run(input="walk.mp4", fps=120.0, html=Path("page.html"))
    times = np.arange(30) / 120
    np.testing.assert_allclose(load_motion(files["motion"]).timestamps, times)
    np.testing.assert_allclose(load_keypoints(files["keypoints"])[0].timestamps, times)
    for pose, image in zip(page.poses, page.images, strict=True):
        if pose is not None:
            assert image.mean() == pytest.approx(60 + 240 * pose.time, abs=1.5)
    assert '"images":[0.0,' in Path("page.html").read_text()


def test_nobody_is_one_line_and_leaves_no_folder(video, monkeypatch):
    monkeypatch.setattr(SimulatedDetector, "empty", True)
    with pytest.raises(ValueError, match=r"^nobody was seen in walk\.mp4 \(30 frames looked at\)$"):
        run(input="walk.mp4")
    with pytest.raises(ValueError, match=r"nobody was seen in walk\.mp4 \(3 frames"):
        run(input="walk.mp4", page=Page(interrupted_in=3))
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"person": "all"}, "--person all"),
        ({"detect_every": 2, "constant_bones": True}, "not go with --detect-every, --constant-bones$"),
        ({"plant_feet": True}, "not go with --plant-feet$"),
        ({"smoothing": 0.2}, "--smoothing"),
        ({"height": 17.0}, "height must be between"),
        ({"keypoint_set": "coco17"}, "keypoint_set"),
        ({"html": Path("page.txt")}, r"page\.txt"),
        ({"person": 3, "input": "fast.npz"}, "no person 3"),
    ],
)
def test_what_cannot_be_done_live_is_refused(video, walk, options, words):
    with pytest.raises(ValueError, match=words) as refusal:
        run(**{"input": "walk.mp4"} | options)
    assert "\n" not in str(refusal.value)
    assert not Path("out").exists()


def tracked(serial: int, size: float, track: int = 0) -> TrackedPerson:
    points = np.array([[0.0, 0, 1], [size, 2 * size, 1]])
    return TrackedPerson(serial, track or serial, points)


def test_the_largest_is_followed_until_they_are_gone_for_long():
    selector, first, second = PersonSelector("largest"), tracked(1, 50.0), tracked(2, 40.0)
    assert selector.select([], 0.0) is None
    assert selector.serial == 0
    assert selector.select([second, first], 0.1) is first
    assert selector.select([first, tracked(2, 90.0)], 0.2) is first
    assert selector.select([second], 0.9) is None
    assert selector.select([second], 1.3) is second
    assert selector.select([first, second], 1.4) is second


def test_a_person_of_a_number_is_waited_for():
    selector = PersonSelector(2)
    assert selector.select([tracked(7, 99.0, track=1)], 0.0) is None
    wanted = tracked(8, 10.0, track=2)
    assert selector.select([tracked(7, 99.0, track=1), wanted], 5.0) is wanted


def test_another_person_is_lifted_from_their_own_first_frame_on():
    keypoints, _ = filmed(30)
    source = LiveSource(in_real_time(iter(())), "human36m17", SIZE, 30.0, find_camera(SIZE))
    recording = LiveRecording(lifter(), source, CaptureConfig(input="0", live=True))
    for index, (points, time) in enumerate(zip(keypoints.points, keypoints.timestamps, strict=True)):
        recording.push(LiveFrame(points, float(time), 1 if index < 12 else 2))
    motion, kept = recording.finish()
    parts = [keypoints.frames(slice(0, 12)), keypoints.frames(slice(12, 30))]
    apart = np.concatenate([joints(lift_live(lifter(), part)) for part in parts])
    np.testing.assert_array_equal(motion.joints, apart)
    np.testing.assert_array_equal(motion.timestamps, keypoints.timestamps)
    np.testing.assert_array_equal(kept.points, keypoints.points)


def test_poses_that_are_ready_at_once_are_all_shown_with_their_pictures():
    """After most of a second without a frame, those that waited for later ones are ready together."""
    keypoints, _ = filmed(30)
    times = keypoints.timestamps + np.where(np.arange(30) < 20, 0, 0.8)
    source = LiveSource(in_real_time(iter(())), "human36m17", SIZE, 30.0, find_camera(SIZE))
    recording, page = LiveRecording(lifter(), source, CaptureConfig(input="0", live=True)), Page()
    frames = [
        LiveFrame(points, float(time), 1, np.full((2, 2, 3), index, np.uint8))
        for index, (points, time) in enumerate(zip(keypoints.points, times, strict=True))
    ]
    show_frames(frames, recording, page, SpeedMeter(4))
    shown = [(pose.time, image.max()) for pose, image in zip(page.poses, page.images, strict=True) if pose]
    assert shown == [(time, index) for index, time in enumerate(times[:26])]
    np.testing.assert_array_equal(recording.finish()[0].timestamps, times)


def test_frames_come_no_faster_than_they_were_filmed_and_do_not_catch_up():
    now, waited = [100.0], []

    def sleep(seconds: float) -> None:
        waited.append(round(seconds, 6))
        now[0] += seconds

    def frames() -> Iterator[LiveFrame]:
        for index in range(5):
            now[0] += 0.3 if index == 2 else 0.01
            yield LiveFrame(np.zeros((17, 3), np.float32), index / 10, 1)

    assert len(list(in_real_time(frames(), lambda: now[0], sleep))) == 5
    assert waited == [0, 0.09, 0, 0.09, 0.09]


def test_the_weights_that_need_no_later_frames_are_the_default(monkeypatch):
    monkeypatch.setattr(live, "read_manifest", lambda: {"default": {}, "live": {}})
    assert [live_weights(name) for name in ("default", "other")] == ["live", "other"]
    monkeypatch.setattr(live, "read_manifest", lambda: {"default": {}})
    assert live_weights("default") == "default"


def test_an_excerpt_has_the_frames_of_its_times(video):
    whole = open_frames(video)
    times = [frame.time for frame in whole][5:20]
    part = FramesAtTimes(whole, np.array(times))
    assert [frame.time for frame in part] == times == [frame.time for frame in part]
    assert all(isinstance(frame, Frame) for frame in part)
    assert part.frame_count == 15


def test_small_images_are_left_as_they_are():
    image = np.zeros((30, 40, 3), np.uint8)
    assert downscale(image) is image
    assert downscale(np.zeros((1000, 2000, 3), np.uint8)).shape == (200, 400, 3)


def test_the_command_serves_a_page_and_says_what_it_wrote(spgnet, walk):
    pytest.importorskip("viser")
    code, said = spgnet("lift", "fast.npz", "--live", "--port", "0")
    assert code is None
    assert "http://127.0.0.1:" in said
    assert "motion.npz" in said
    assert len(load_motion(Path("out/motion.npz"))) == 40
