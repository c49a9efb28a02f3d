"""``spgnet lift`` and what follows it: the files that come out."""

import json
import re
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lifting.people import filmed
from spgnet.camera_files import save_camera
from spgnet.capture import people
from spgnet.geometry.camera import UPRIGHT, opencv_camera
from spgnet.keypoints import load_keypoints, save_keypoints
from spgnet.lifting import load_motion
from spgnet.video import open_frames
from spgnet.view.server import PageServer
from video.test_open_frames import write_video


def test_a_keypoint_file_becomes_every_file_that_is_asked_for(spgnet, clip):
    code, said = spgnet(
        "lift", "walk.npz", "-o", "out", "--export", "bvh", "trc", "c3d", "mot", "glb", "csv", "json",
        "--html", "out/page.html", "--overlay", "out/overlay.mp4",
    )  # fmt: skip
    assert code is None
    names = {f"motion.{suffix}" for suffix in ("npz", "bvh", "trc", "c3d", "mot", "glb", "csv", "json")}
    assert {path.name for path in Path("out").iterdir()} == names | {"page.html", "overlay.mp4"}
    assert "intrinsics of the keypoint file" in said
    assert all(name in said for name in names)
    assert len(load_motion(Path("out/motion.npz"))) == 40


def test_a_video_becomes_a_motion_and_its_keypoints(spgnet, video):
    code, said = spgnet(
        "lift", "walk.mp4", "-o", "out", "--overlay", "out/overlay.mp4", "--html", "page.html"
    )
    assert code is None
    motion = load_motion(Path("out/motion.npz"))
    assert len(motion) == 30
    assert motion.fps == pytest.approx(30)
    assert motion.camera.image_size.tolist() == [720, 1280]
    assert "default field of view" in said
    assert (motion.confidence[:, 0] > 0).all()
    assert Path("page.html").stat().st_size > 10_000
    again = spgnet("lift", "out/keypoints.npz", "-o", "again")
    assert again[0] is None
    np.testing.assert_allclose(load_motion(Path("again/motion.npz")).joints, motion.joints, atol=1e-5)


def test_detecting_every_third_frame_still_gives_every_frame(spgnet, video):
    assert spgnet("lift", "walk.mp4", "-o", "out", "--detect-every", "3")[0] is None
    motion = load_motion(Path("out/motion.npz"))
    assert len(motion) == 30
    assert ((motion.confidence > 0).any(axis=1) == (np.arange(30) % 3 == 0)).all()


def test_by_default_as_many_frames_are_detected_as_the_motion_needs(spgnet, video):
    assert spgnet("lift", "walk.mp4", "-o", "out", "--no-refine")[0] is None
    (keypoints,), motion = load_keypoints(Path("out/keypoints.npz")), load_motion(Path("out/motion.npz"))
    assert keypoints.skipped is not None
    assert 0 < keypoints.skipped.sum() < 20
    assert not keypoints.present[keypoints.skipped].any()
    assert len(motion) == 30
    assert (motion.confidence[:, 0] > 0).all()
    assert spgnet("lift", "walk.mp4", "-o", "all", "--no-refine", "--detect-every", "1")[0] is None
    (keypoints,) = load_keypoints(Path("all/keypoints.npz"))
    assert keypoints.skipped is None
    assert keypoints.present.any(axis=1).all()


def test_a_folder_of_images_is_lifted_like_a_video(spgnet, tmp_path):
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number in range(12):
        Image.fromarray(np.full((1280, 720, 3), 9 * number, np.uint8)).save(f"images/{number}.png")
    assert spgnet("lift", "images", "--fps", "24")[0] is None
    assert load_motion(Path("out/motion.npz")).fps == pytest.approx(24)


def test_everybody_gets_a_file_and_all_share_one_world(spgnet, tmp_path):
    one, _ = filmed(20)
    points = np.stack((one.points[..., :2], one.points[..., :2] + [150, 0]), axis=1)
    scores = np.full(points.shape[:3], 0.9)
    np.savez(
        "pair.npz",
        keypoints=points,
        scores=scores,
        keypoint_set="human36m17",
        fps=30.0,
        image_size=[720, 1280],
    )
    code, _ = spgnet("lift", "pair.npz", "--read-as", "rtmlib", "--person", "all", "--export", "bvh", "c3d",
                     "--html", "out/page.html")  # fmt: skip
    assert code is None
    names = {"motion-1.npz", "motion-2.npz", "motion-1.bvh", "motion-2.bvh", "motion.c3d", "page.html"}
    assert {path.name for path in Path("out").iterdir()} == names
    motions = [load_motion(Path(f"out/motion-{person}.npz")) for person in (1, 2)]
    assert motions[0].camera.rotation.tolist() == motions[1].camera.rotation.tolist()
    assert [motion.track for motion in motions] == [1, 2]
    assert (
        spgnet("lift", "pair.npz", "--keypoint-set", "human36m17", "--person", "2", "-o", "second")[0] is None
    )
    assert load_motion(Path("second/motion.npz")).track == 2


def test_a_known_height_scales_the_motion(spgnet, clip):
    spgnet("lift", "walk.npz", "-o", "free")
    _, said = spgnet("lift", "walk.npz", "-o", "tall", "--height", "1.9")
    assert "overrides" not in said
    free, tall = (load_motion(Path(f"{name}/motion.npz")).joints for name in ("free", "tall"))
    ratio = tall / free
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)
    assert abs(ratio.mean() - 1) > 0.01


@pytest.mark.parametrize("flag", ["--constant-bones", "--rigid"])
def test_motion_of_constant_bones_has_them(spgnet, clip, flag):
    from spgnet.geometry.skeleton import HUMAN36M

    spgnet("lift", "walk.npz", flag)
    lengths = HUMAN36M.bone_lengths(torch.from_numpy(load_motion(Path("out/motion.npz")).joints))
    assert lengths.std(dim=0).max() < 1e-4


@pytest.mark.parametrize("flag", ["--no-align-to-gravity", "--no-level"])
def test_the_world_stands_on_its_floor_unless_told_otherwise(spgnet, clip, flag):
    spgnet("lift", "walk.npz", "-o", "level")
    spgnet("lift", "walk.npz", "-o", "plain", flag)
    level, plain = (load_motion(Path(f"{name}/motion.npz")) for name in ("level", "plain"))
    np.testing.assert_array_equal(level.joints, plain.joints)
    assert plain.camera.position.tolist() == [0, 0, 0]
    assert abs(np.percentile(level.world[..., 2].min(axis=1), 5)) < 0.2


CALIBRATION = (
    '[cam01]\nname = "cam01"\nsize = [720.0, 1280.0]\n'
    "matrix = [[900.0, 0.0, 360.0], [0.0, 900.0, 640.0], [0.0, 0.0, 1.0]]\n"
    "distortions = [0.0, 0.0, 0.0, 0.0]\nrotation = [1.2, 0.0, 0.0]\ntranslation = [0.0, 1.0, 4.0]\n"
    "fisheye = false\n"
)


def test_a_placed_camera_gives_its_own_world(spgnet, clip):
    Path("calibration.toml").write_text(CALIBRATION)
    code, said = spgnet("lift", "walk.npz", "--camera", "calibration.toml")
    assert code is None
    motion = load_motion(Path("out/motion.npz"))
    assert "calibration.toml" in motion.camera_source
    assert "calibration.toml" in said
    np.testing.assert_allclose(motion.camera.focal, 900)
    turned = np.array([[1, 0, 0], [0, np.cos(1.2), -np.sin(1.2)], [0, np.sin(1.2), np.cos(1.2)]])
    np.testing.assert_allclose(motion.camera.rotation, turned, atol=1e-6)
    np.testing.assert_allclose(motion.camera.position, -turned.T @ [0, 1, 4], atol=1e-5)
    assert "overrides" not in said


@pytest.mark.parametrize("rotation", [UPRIGHT, np.eye(3).tolist()], ids=["upright", "identity"])
def test_a_camera_calibrated_at_the_origin_is_left_where_it_is(spgnet, clip, rotation):
    lens = opencv_camera([[900, 0, 360], [0, 900, 640], [0, 0, 1]], None, (720, 1280))
    calibrated = replace(lens, rotation=torch.tensor(rotation), extrinsics="calibrated")
    for name, camera in {"calibrated": calibrated, "unknown": lens}.items():
        save_camera(f"{name}.json", camera)
        assert spgnet("lift", "walk.npz", "--camera", f"{name}.json", "-o", name)[0] is None
    motion = load_motion("calibrated/motion.npz")
    assert motion.camera.extrinsics_known
    assert motion.camera.rotation.tolist() == calibrated.rotation.tolist()
    assert motion.camera.position.tolist() == [0, 0, 0]
    levelled = load_motion("unknown/motion.npz").camera
    assert levelled.extrinsics == "estimated"
    assert levelled.position[2] > 0


def test_a_known_height_keeps_the_feet_on_the_floor_of_a_placed_camera(spgnet, clip):
    Path("calibration.toml").write_text(CALIBRATION)
    motions, said = {}, {}
    for name, options in {
        "own": [],
        "tall": ["--height", "1.9"],
        "same": ["--height", "1.9", "--no-level"],
    }.items():
        code, said[name] = spgnet("lift", "walk.npz", "--camera", "calibration.toml", "-o", name, *options)
        assert code is None
        motions[name] = load_motion(Path(f"{name}/motion.npz"))
    own, tall, same = (motions[name].camera for name in ("own", "tall", "same"))
    assert own.position.tolist() == same.position.tolist()
    assert own.rotation.tolist() == tall.rotation.tolist()
    assert own.position[:2].tolist() == tall.position[:2].tolist()
    np.testing.assert_array_equal(motions["tall"].joints, motions["same"].joints)
    lowest = np.percentile(motions["tall"].world[..., 2].min(axis=1), 5)
    assert 0.04 < lowest < 0.1
    assert abs(np.percentile(motions["same"].world[..., 2].min(axis=1), 5) - lowest) > 0.1
    told = {name: " ".join(text.split()) for name, text in said.items()}
    assert "overrides the scale" not in told["own"]
    assert "overrides the scale of the camera's world: the camera is moved up or down" in told["tall"]
    assert "overrides the scale of the camera's world: the feet may not stand" in told["same"]


def test_export_writes_what_the_name_of_the_file_asks_for(spgnet, clip):
    spgnet("lift", "walk.npz")
    assert spgnet("export", "out/motion.npz", "walk.bvh")[0] is None
    assert Path("walk.bvh").read_text().startswith("HIERARCHY")
    assert spgnet("view", "out/motion.npz", "--html", "walk.html")[0] is None
    assert "<canvas" in Path("walk.html").read_text()


def test_view_shows_the_page_with_the_video_until_it_is_interrupted(spgnet, clip, tmp_path, monkeypatch):
    spgnet("lift", "walk.npz")
    (tmp_path / "film").mkdir()
    width, height = load_motion(Path("out/motion.npz")).camera.image_size.int().tolist()
    image = np.full((height, width, 3), 90, np.uint8)
    for frame in range(3):
        pytest.importorskip("cv2").imwrite(f"film/{frame}.png", image)
    pages = []

    def interrupted(server: PageServer) -> None:
        with urllib.request.urlopen(server.url) as response:
            pages.append(response.read().decode())
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "wait", interrupted)
    code, said = spgnet("view", "out/motion.npz", "--video", "film", "--port", "0", "--no-browser")
    assert code is None
    assert "the motion is shown at http://127.0.0.1:" in said
    assert "motion.npz" in pages[0]
    pictures = re.findall(r'id="picture-data">(.*?)</script>', pages[0])
    assert len(json.loads(pictures[0])) == 3


def test_keypoint_files_and_pictures_are_told_apart(tmp_path):
    (tmp_path / "pose").mkdir()
    (tmp_path / "pose" / "a_keypoints.json").touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").touch()
    assert people.is_keypoints(tmp_path / "pose")
    assert not people.is_keypoints(tmp_path / "images")
    for name in ("a.NPZ", "a.json", "a.csv", "a.tsv"):
        assert people.is_keypoints(Path(name))
    assert not people.is_keypoints(Path("a.mp4"))


def test_half_the_joints_missing_is_said_and_lifted(spgnet, tmp_path):
    keypoints, _ = filmed(20)
    points = keypoints.points.copy()
    points[:, [2, 3, 5, 6, 12, 13], 2] = 0
    save_keypoints(
        tmp_path / "half.npz", type(keypoints)(points, "human36m17", keypoints.timestamps, (720, 1280))
    )
    code, said = spgnet("lift", "half.npz")
    assert code is None
    assert "of the limbs are not seen and guessed" in said
    assert np.isfinite(load_motion(Path("out/motion.npz")).joints).all()
    assert load_keypoints(tmp_path / "half.npz")[0].present.mean() < 0.7


def test_a_single_frame_is_lifted(spgnet, tmp_path):
    keypoints, _ = filmed(3)
    save_keypoints(tmp_path / "one.npz", keypoints.frames(slice(0, 1)))
    code, _ = spgnet("lift", "one.npz", "--export", "bvh", "glb", "--html", "out/page.html", "--rigid")
    assert code is None
    assert len(load_motion(Path("out/motion.npz"))) == 1


@pytest.mark.parametrize(
    ("size", "rotation", "seen"),
    [((3840, 2160), 0, (3840, 2160)), ((1280, 720), 90, (720, 1280)), ((719, 1279), 0, (719, 1279))],
)
def test_large_rotated_and_odd_videos_are_lifted_as_they_are_seen(spgnet, size, rotation, seen):
    images = [np.full((size[1], size[0], 3), 40 * shade, np.uint8) for shade in range(3)]
    pixels = "yuv444p" if size[0] % 2 else "yuv420p"
    write_video(Path("v.mp4"), images, pixels=pixels, display={"degrees": rotation} if rotation else None)
    assert spgnet("lift", "v.mp4", "--overlay", "out/overlay.mp4")[0] is None
    motion = load_motion(Path("out/motion.npz"))
    assert tuple(motion.camera.image_size.tolist()) == seen
    assert len(motion) == 3
    assert Path("out/overlay.mp4").stat().st_size > 0


@pytest.mark.parametrize(("degrees", "corner"), [(90, 0), (180, 1), (270, 3)])
def test_a_video_that_lies_on_its_side_is_lifted_shown_and_drawn_upright(spgnet, degrees, corner):
    """The white quarter of the pictures is where the turn brings it."""
    width, height = (1280, 720) if degrees % 180 else (720, 1280)
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 :, : width // 2] = 255
    write_video(Path("v.mp4"), [image] * 4)
    arguments = ("v.mp4", "--rotate", str(degrees), "--overlay", "out/overlay.mp4")
    assert spgnet("lift", *arguments)[0] is None
    motion = load_motion(Path("out/motion.npz"))
    assert tuple(motion.camera.image_size.tolist()) == (720, 1280)
    frame = next(iter(open_frames("v.mp4", rotate=degrees))).image
    top, bottom = np.array_split(frame.mean(axis=-1), 2)
    quarters = [part.mean() for half in (top, bottom) for part in np.array_split(half, 2, axis=1)]
    assert int(np.argmax(quarters)) == corner
    (keypoints,) = load_keypoints("out/keypoints.npz")
    assert keypoints.image_size == tuple(motion.camera.image_size.tolist())
    assert (
        spgnet("view", "out/motion.npz", "--video", "v.mp4", "--rotate", str(degrees), "--html", "p.html")[0]
        is None
    )


def test_slow_motion_gets_the_time_of_the_camera(spgnet, video):
    assert spgnet("lift", "walk.mp4", "--fps", "120", "--html", "page.html")[0] is None
    assert load_motion(Path("out/motion.npz")).fps == pytest.approx(120)


def test_the_keypoints_of_a_video_keep_their_camera(spgnet, video):
    spgnet("lift", "walk.mp4", "--field-of-view", "40")
    spgnet("lift", "out/keypoints.npz", "-o", "again")
    one, two = (load_motion(Path(f"{folder}/motion.npz")) for folder in ("out", "again"))
    np.testing.assert_allclose(one.camera.focal, two.camera.focal, rtol=1e-6)
    np.testing.assert_allclose(one.joints, two.joints, atol=1e-4)


def test_exports_have_the_rig_the_names_of_markers_and_the_columns_that_were_asked_for(spgnet, clip):
    choices = ("--rig", "mixamo", "--markers", "pose2sim", "--unseen", "missing", "--columns", "angles")
    assert spgnet("lift", "walk.npz", "--export", "bvh", "trc", "csv", *choices)[0] is None
    assert Path("out/motion.bvh").read_text().split("\n")[1] == "ROOT mixamorig:Hips"
    assert "\tRHip\t" in Path("out/motion.trc").read_text()
    assert Path("out/motion.csv").read_text().startswith("frame,time,person,pelvis_list,")
    assert spgnet("export", "out/motion.npz", "again.csv", "--columns", "angles")[0] is None
    assert Path("again.csv").read_text() == Path("out/motion.csv").read_text()
    assert spgnet("export", "out/motion.npz", "again.bvh", "--rig", "mixamo")[0] is None
    assert Path("again.bvh").read_text() == Path("out/motion.bvh").read_text()
    code, said = spgnet("export", "out/motion.npz", "again.trc", "--marker-set", "markers.xml")
    assert code is None
    assert "written: markers.xml" in said
    assert '<Marker name="left_knee">' in Path("markers.xml").read_text()


def test_what_an_earlier_run_left_is_named(spgnet, clip):
    spgnet("lift", "walk.npz", "--export", "bvh")
    _, said = spgnet("lift", "walk.npz")
    assert "from an earlier run, still in out: motion.bvh" in said
    assert "motion.npz," not in said


@pytest.mark.parametrize(("degrees", "said_so"), [(0, False), (180, True)])
def test_what_is_wrong_is_said_stored_and_on_the_page(spgnet, tmp_path, degrees, said_so):
    save_keypoints(tmp_path / "walk.npz", filmed(30)[0].rotated(degrees))
    code, said = spgnet("lift", "walk.npz", "--html", "page.html")
    assert code is None
    assert ("warning: person 1: the person is upside down" in said) == said_so
    quality = load_motion(Path("out/motion.npz")).quality
    assert quality is not None
    assert ("upside_down" in quality.faults) == said_so
    assert ("the person is upside down" in Path("page.html").read_text()) == said_so
    _, said = spgnet("lift", "walk.npz", "--rotate", str(degrees))
    assert "upside down" not in said


def test_keypoints_that_cannot_be_believed_end_in_one_line_unless_forced(spgnet, tmp_path):
    keypoints, _ = filmed(20)
    points = keypoints.points.copy()
    points[..., :2] /= (720, 1280)
    save_keypoints(tmp_path / "shares.npz", replace(keypoints, points=points))
    code, _ = spgnet("lift", "shares.npz")
    assert "shares.npz: the keypoints are not image coordinates" in str(code)
    assert "--force" in str(code)
    assert not Path("out").exists()
    code, said = spgnet("lift", "shares.npz", "--force")
    assert code is None
    assert "warning: person 1: the keypoints are not image coordinates" in said


def test_what_the_keypoint_reader_assumed_is_among_the_remarks(spgnet, clip):
    (person,) = load_keypoints(clip)
    Path("pose").mkdir()
    for frame, pose in enumerate(np.nan_to_num(person.points).tolist()):
        twice = [{"pose_keypoints_2d": [number for point in pose for number in point]}] * 2
        Path(f"pose/cam01_{frame:06d}.json").write_text(json.dumps({"people": twice}))
    size = map(str, person.image_size)
    code, _ = spgnet("lift", "pose", "--fps", "30", "--image-size", *size, "-o", "out", "--person", "1+2")
    assert "no person 2; there are 1" in str(code)
    size = map(str, person.image_size)
    code, said = spgnet("lift", "pose", "--fps", "30", "--image-size", *size, "-o", "out")
    assert code is None
    assert "people are detected twice in 40 frames; the less sure detection is merged" in said
    assert "also there" not in said
