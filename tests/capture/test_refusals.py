"""What cannot be lifted ends in one line that says why, and leaves nothing behind."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from capture.conftest import SimulatedDetector
from lifting.people import filmed
from spgnet.capture import Cancelled, CaptureConfig, run, run_capture
from spgnet.capture.outputs import output_folder
from spgnet.errors import printable
from spgnet.keypoints import save_keypoints
from spgnet.lifting import load_motion


def refused(result: tuple, *words: str) -> None:
    """It ended with one line that has these words."""
    code, _ = result
    assert isinstance(code, str), code
    assert code.startswith("spgnet: ")
    assert "\n" not in code
    for word in words:
        assert word in code
    assert not Path("out").exists()


def not_parsed(result: tuple, *words: str) -> None:
    """The parser printed a message with these words."""
    code, printed = result
    assert code == 2
    for word in words:
        assert word in " ".join(printed.split())
    assert not Path("out").exists()


def test_nobody_in_the_video(spgnet, video, monkeypatch):
    monkeypatch.setattr(SimulatedDetector, "empty", True)
    refused(spgnet("lift", "walk.mp4"), "no person found in", "walk.mp4", "30 frames")


def test_an_empty_a_truncated_and_no_video(spgnet, video):
    whole = video.read_bytes()
    Path("empty.mp4").touch()
    refused(spgnet("lift", "empty.mp4"), "empty.mp4", "empty")
    Path("cut.mp4").write_bytes(whole[: len(whole) // 8])
    refused(spgnet("lift", "cut.mp4"), "cut.mp4")
    Path("text.mp4").write_text("not a video")
    refused(spgnet("lift", "text.mp4"), "text.mp4")
    refused(spgnet("lift", "nothing.mp4"), "nothing.mp4", "no such file")


def test_text_instead_of_json_and_a_wrong_format(spgnet, clip):
    Path("text.json").write_text("hello")
    refused(spgnet("lift", "text.json"), "text.json", "not JSON")
    refused(spgnet("lift", "walk.npz", "--read-as", "openpose"), "walk.npz", "openpose")
    not_parsed(spgnet("lift", "walk.npz", "--read-as", "nonsense"), "nonsense", "openpose")


def test_keypoints_that_are_not_numbers_everywhere(spgnet, tmp_path):
    keypoints, _ = filmed(5)
    points = np.full_like(keypoints.points, np.nan)
    save_keypoints(
        tmp_path / "nan.npz", type(keypoints)(points, "human36m17", keypoints.timestamps, (720, 1280))
    )
    refused(spgnet("lift", "nan.npz"), "nan.npz")


def test_force_overrides_no_reader_s_refusal(spgnet):
    """What is no file of 2D keypoints is none by force, either."""
    pose = np.random.default_rng(0).uniform(-0.5, 0.5, (33, 2))
    pose[23:25] = [[0.1, 0.0], [-0.1, 0.0]]
    world = [[{"x": x, "y": y, "visibility": 0.9} for x, y in pose.tolist()]] * 3
    Path("world.json").write_text(json.dumps(world))
    Path("other.json").write_text('{"a": 1}')
    options = ("--fps", "30", "--image-size", "720", "1280", "--force")
    refused(spgnet("lift", "world.json", *options), "world.json", "centred on the hips", "pose_landmarks")
    refused(spgnet("lift", "other.json", *options), "other.json", "no known format")


def test_what_a_file_does_not_say_is_asked_for_by_option(spgnet):
    frames = [[{"x": 0.5, "y": 0.5, "visibility": 1.0}] * 33] * 3
    Path("mp.json").write_text(json.dumps(frames))
    refused(spgnet("lift", "mp.json"), "--fps")
    refused(spgnet("lift", "mp.json", "--fps", "30"), "--image-size")


def test_options_that_do_not_fit(spgnet, clip, video):
    refused(spgnet("lift", "walk.mp4", "--keypoint-set", "coco17"), "keypoint_set")
    refused(spgnet("lift", "walk.npz", "--person", "7"), "no person 7")
    not_parsed(spgnet("lift", "walk.npz", "--person", "0"), "person counts from 1")
    not_parsed(spgnet("lift", "walk.npz", "--height", "17"), "17")
    not_parsed(spgnet("lift", "walk.npz", "--height", "1.7", "--person", "all"), "height is of one person")
    not_parsed(spgnet("lift", "walk.npz", "--smoothing", "-1"), "smoothing must be from 0 to 60 s, got -1")
    refused(spgnet("lift", "walk.npz", "--camera-name", "cam01"), "cam01")
    refused(spgnet("lift", "walk.npz", "--camera", "none.toml"), "none.toml")
    refused(spgnet("lift", "7"), "--live")


def test_outputs_that_cannot_be_written_are_found_before_the_work(spgnet, clip):
    Path("file").touch()
    refused(spgnet("lift", "walk.npz", "-o", "file"), "file", "in the way")
    Path("page.html").mkdir()
    refused(spgnet("lift", "walk.npz", "-o", "out", "--html", "page.html"), "page.html", "in the way")
    assert not Path("out").exists()
    refused(spgnet("lift", "walk.npz", "-o", "file/out"), "file")
    refused(spgnet("lift", "walk.npz", "--html", "page.txt"), "page.txt", ".html")
    refused(spgnet("lift", "walk.npz", "--overlay", "none/overlay.mp4"), "none", "no such folder")


def test_weights_that_are_not_there(spgnet, clip):
    Path("w.safetensors").unlink()
    refused(spgnet("lift", "walk.npz"), "no weights 'w.safetensors'", "default")


def test_camera_faults_show_before_anybody_is_detected(spgnet, video, monkeypatch):
    def detected(self: SimulatedDetector, image: np.ndarray) -> np.ndarray:
        raise AssertionError("the detector was at work already")

    monkeypatch.setattr(SimulatedDetector, "boxes", detected)
    refused(spgnet("lift", "walk.mp4", "--camera", "none.toml"), "none.toml")
    refused(spgnet("lift", "walk.mp4", "--camera-name", "cam01"), "cam01")
    refused(spgnet("lift", "walk.mp4", "--field-of-view", "500"), "500")
    refused(spgnet("lift", "walk.mp4", "--html", "none/page.html"), "no such folder")


def test_nothing_that_is_read_is_overwritten(spgnet, clip):
    Path("out2").mkdir()
    Path("walk.npz").rename("out2/motion.npz")
    before = Path("out2/motion.npz").read_bytes()
    refused(spgnet("lift", "out2/motion.npz", "-o", "out2"), "overwrite")
    assert Path("out2/motion.npz").read_bytes() == before
    spgnet("lift", "out2/motion.npz", "-o", "lifted")
    refused(spgnet("view", "lifted/motion.npz", "--html", "lifted/motion.npz"), ".html")
    refused(spgnet("view", "lifted/motion.npz", "--html", "none/page.html"), "no such folder")
    assert len(load_motion(Path("lifted/motion.npz"))) == 40


def test_a_missing_library_shows_before_the_work(spgnet, clip, monkeypatch):
    from spgnet.capture import outputs

    monkeypatch.setattr(outputs, "find_spec", lambda name: None)
    refused(spgnet("lift", "walk.npz", "--export", "bvh", "c3d"), "ezc3d is missing", "spgnet[export]")


def test_a_choice_without_a_file_that_has_it_shows_before_the_work(spgnet, clip):
    refused(spgnet("lift", "walk.npz", "--export", "csv", "--rig", "vrm"), "--rig is of bvh, glb, gltf files")
    refused(spgnet("lift", "walk.npz", "--export", "trc", "--columns", "all"), "--columns is of csv files")
    refused(spgnet("lift", "walk.npz", "--markers", "opensim"), "--markers is of trc, c3d files")


def test_the_keypoints_of_a_video_survive_what_fails_later(spgnet, video):
    code, _ = spgnet("lift", "walk.mp4", "--person", "9")
    assert "no person 9" in str(code)
    assert [path.name for path in Path("out").iterdir()] == ["keypoints.npz"]


def test_ctrl_c_ends_with_one_line_and_leaves_nothing(spgnet, video, monkeypatch):
    def interrupted(self: SimulatedDetector, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        if self.looks == 5:
            raise KeyboardInterrupt
        self.looks += 1
        return self.points[:1]

    monkeypatch.setattr(SimulatedDetector, "pose", interrupted)
    refused(spgnet("lift", "walk.mp4", "--overlay", "overlay.mp4"), "interrupted")
    assert not Path("overlay.mp4").exists()


def test_what_is_cancelled_at_any_stage_leaves_whole_files_only(spgnet, video, tmp_path):
    def config(out: Path) -> CaptureConfig:
        return CaptureConfig(
            input="walk.mp4",
            out=out,
            weights="w.safetensors",
            export=("bvh", "csv"),
            html=out / "page.html",
            overlay=out / "overlay.mp4",
        )

    stages: dict[str, int] = {}

    def count(stage: str, done: int, total: int | None) -> None:
        stages[stage] = stages.get(stage, 0) + 1

    run_capture(config(tmp_path / "whole"), count)
    whole = {path.name: path.stat().st_size for path in (tmp_path / "whole").iterdir()}
    assert list(stages) == [
        "preparing the detector",
        "detecting",
        "lifting",
        "refining",
        "writing files",
        "writing the page",
        "drawing the overlay",
    ]
    for number, stage in enumerate(stages):
        left = min(2, stages[stage])  # reports, until it is cancelled

        def cancel(at: str, done: int, total: int | None, wanted: str = stage) -> None:
            nonlocal left
            left -= at == wanted
            if left == 0:
                raise Cancelled

        out = tmp_path / str(number)
        with pytest.raises(Cancelled):
            run_capture(config(out), cancel)
        if number < 2:
            assert not out.exists()
        else:
            made = {path.name: path.stat().st_size for path in out.iterdir()}
            assert made.items() < whole.items()


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_links_that_lead_nowhere_are_no_files(spgnet, clip):
    Path("loop.npz").symlink_to("loop.npz")
    Path("none.npz").symlink_to("nowhere.npz")
    for name in ("loop.npz", "none.npz"):
        refused(spgnet("lift", name), f"{name}: no such file or folder")
        refused(spgnet("export", name, "out.bvh"), f"{name}: no such file")
    refused(spgnet("lift", "walk.npz", "-o", "loop.npz"), "loop.npz")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system on which names are bytes")
def test_folders_whose_names_cannot_be_printed_are_written_to(spgnet, clip):
    for name in ("\udcff", "a\nb", "\x1b[31m"):
        code, printed = spgnet("lift", "walk.npz", "-o", name)
        assert code is None
        assert Path(name, "motion.npz").is_file()
        assert f"motion: {printable(name)}/motion.npz" in printed.splitlines()


def test_sigterm_ends_like_ctrl_c(spgnet, video, monkeypatch):
    def terminated(self: SimulatedDetector, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGTERM)
        return self.points[:1]

    monkeypatch.setattr(SimulatedDetector, "pose", terminated)
    refused(spgnet("lift", "walk.mp4", "--overlay", "overlay.mp4"), "interrupted")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_two_lifts_into_one_folder_do_not_take_it_from_each_other(tmp_path):
    with output_folder(tmp_path / "out"), pytest.raises(KeyError), output_folder(tmp_path / "out"):
        raise KeyError
    assert not (tmp_path / "out").exists()
    with output_folder(tmp_path / "out"), output_folder(tmp_path / "out"):
        (tmp_path / "out/motion.npz").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["motion.npz"]


def test_results_are_written_though_another_lift_removed_the_folder_that_it_left_empty(
    spgnet, clip, monkeypatch
):
    lift = run.lift

    def remove(*arguments: object, **options: object) -> object:
        Path("out").rmdir()
        return lift(*arguments, **options)

    monkeypatch.setattr(run, "lift", remove)
    assert spgnet("lift", "walk.npz")[0] is None
    assert Path("out/motion.npz").is_file()


def test_a_failure_at_the_end_leaves_whole_files_only(spgnet, video, monkeypatch):
    from spgnet.view import overlay

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(overlay.Overlay, "draw", full)
    code, _ = spgnet("lift", "walk.mp4", "--overlay", "out/overlay.mp4")
    assert "No space left" in str(code)
    assert {path.name for path in Path("out").iterdir()} == {"motion.npz", "keypoints.npz"}
    assert len(load_motion(Path("out/motion.npz"))) == 30


def test_export_and_view_say_no_in_one_line(spgnet, clip):
    spgnet("lift", "walk.npz", "-o", "lifted")
    for arguments, words in (
        (("export", "lifted/motion.npz"), ("export needs",)),
        (("export", "lifted/motion.npz", "walk.xyz"), (".xyz", ".bvh")),
        (("export", "lifted/motion.npz", "lifted/motion.npz"), ("overwrite",)),
        (("export", "lifted/motion.npz", "walk.csv", "--rig", "vrm"), ("no choice of rig", ".glb")),
        (("export", "lifted/motion.npz", "walk.trc", "--marker-set", "set.txt"), ("--marker-set", ".xml")),
        (("export", "walk.npz", "walk.bvh"), ("walk.npz", "not a motion file")),
        (("view", "missing.npz"), ("missing.npz", "no such file")),
        (("view",), ("view",)),
    ):
        refused(spgnet(*arguments), *words)
