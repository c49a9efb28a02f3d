"""Motion archives: a round trip, and every way in which a file can be broken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spgnet.datasets.archive import load_motion_archive, save_motion_archive
from spgnet.errors import InputError
from spgnet.geometry.motion_clip import MotionClip
from spgnet.synthetic.procedural import procedural_clips


@pytest.fixture
def archive(tmp_path):
    """A good archive, and a function that writes it again with some arrays changed or (None) left out."""
    path = tmp_path / "motion.npz"
    save_motion_archive(path, procedural_clips(2, seed=0, seconds=1.0))
    arrays = dict(np.load(path))

    def rewrite(**changes):
        changed = {key: value for key, value in (arrays | changes).items() if value is not None}
        np.savez(path, **changed)
        return path

    return rewrite


def test_a_round_trip_keeps_clips_to_a_tenth_of_a_millimetre(tmp_path):
    clips = procedural_clips(3, seed=1, seconds=1.0)
    save_motion_archive(tmp_path / "m.npz", clips, source="here", licence="CC0")
    for clip, read in zip(clips, load_motion_archive(tmp_path / "m.npz"), strict=True):
        assert (clip.joints - read.joints).abs().max() < 1e-4
        assert (clip.name, clip.subject, clip.fps) == (read.name, read.subject, read.fps)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_the_action_is_the_folder_in_a_clip_s_name_or_else_the_subject(archive):
    clips = load_motion_archive(archive(clips=np.array(["walk/01", "02"])))
    assert [clip.action for clip in clips] == ["walk", clips[1].subject]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"pose": None, "fps": None}, "arrays pose, fps are missing"),
        (
            {"pose": np.zeros((100, 16, 3), np.int16)},
            r"pose has shape \(100, 16, 3\), expected \(100, 17, 3\)",
        ),
        ({"lengths": np.array([50, 51])}, "the lengths add up to 101 frames, root has 100"),
        ({"lengths": np.array([100, 0])}, "a clip has no frames"),
        ({"fps": np.array(0.0)}, "fps is 0, expected a positive number"),
        ({"pose": np.zeros((100, 17, 3), np.float32)}, "pose holds float32, expected signed integers"),
        ({"lengths": np.array([50.0, 50.0])}, "lengths holds float64, expected integers"),
        ({"lengths": np.array(100)}, r"lengths has shape \(\), expected \(\)"),
        ({"root": np.array(1.0)}, r"root has shape \(\)"),
        ({"fps": np.array("fast")}, "fps holds <U4, expected a number"),
        ({"clips": np.array(["a"])}, r"clips has shape \(1,\), expected \(2,\)"),
    ],
)
def test_a_broken_archive_is_refused_with_its_fault(archive, changes, fault):
    path = archive(**changes)
    with pytest.raises(ValueError, match=fault) as error:
        load_motion_archive(path)
    assert str(error.value).startswith(f"{path}: not a motion archive")
    assert "\n" not in str(error.value)


def test_all_faults_are_named_at_once(archive):
    path = archive(fps=np.array(-1.0), lengths=np.array([1, 2]))
    with pytest.raises(ValueError, match=r"add up to 3 frames.*; fps is -1,"):
        load_motion_archive(path)


def test_joints_that_were_not_captured_are_named(archive):
    clips = load_motion_archive(archive(valid=np.arange(17) != 9))
    assert clips[0].unmeasured_joints == ("nose",)


def test_joints_that_were_not_captured_come_back_from_an_archive_of_one_s_own(tmp_path):
    (clip,) = procedural_clips(1, seed=0, seconds=1.0)
    headless = replace(clip, unmeasured_joints=("nose", "head_top"))
    save_motion_archive(tmp_path / "m.npz", [headless, headless])
    assert {each.unmeasured_joints for each in load_motion_archive(tmp_path / "m.npz")} == {
        ("nose", "head_top")
    }
    with pytest.raises(InputError, match="clips that lack the same joints"):
        save_motion_archive(tmp_path / "mixed.npz", [clip, headless])
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_damage_anywhere_in_a_file_is_one_error_or_none(archive):
    path = archive()
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for place in generator.integers(len(whole), size=150):
        path.write_bytes(whole[:place] + generator.bytes(2) + whole[place + 2 :])
        try:
            load_motion_archive(path)
        except ValueError:
            refused += 1
    assert refused > 20


def test_nan_is_refused_with_clip_and_frame(archive):
    root = np.zeros((100, 3), np.float32)
    root[53] = np.nan
    path = archive(root=root)
    with pytest.raises(ValueError, match=rf"{path}: clip .*1 of 50 frames hold NaN.*the first is frame 3"):
        load_motion_archive(path)


def test_a_missing_file_and_one_that_is_no_archive_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        load_motion_archive(tmp_path / "none.npz")
    for content in (b"", b"not a zip", b"PK\x03\x04 cut short"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad.npz: not an .npz file, or a truncated one"):
            load_motion_archive(tmp_path / "bad.npz")


def test_pickles_are_not_opened(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was executed",))

    np.savez(tmp_path / "evil.npz", root=np.array([Hostile()], dtype=object))
    with pytest.raises(ValueError, match=r"evil.npz: it holds pickled Python objects, .* never opened"):
        load_motion_archive(tmp_path / "evil.npz")


def test_what_an_archive_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    clip = procedural_clips(1, seed=0, seconds=1.0)[0]
    wide = MotionClip(clip.joints * 5, fps=50.0, name="giant", subject="s", action="x")
    with pytest.raises(ValueError, match=r"at most 3.2 m fit"):
        save_motion_archive(tmp_path / "m.npz", [wide])
    with pytest.raises(ValueError, match="one frame rate"):
        save_motion_archive(tmp_path / "m.npz", [clip, clip.resampled(25.0)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "clips", "frames", "unmeasured_joints"),
    [
        ("cmu_playground", 30, 32_375, ()),
        ("cmu_jump", 112, 29_397, ("nose", "head_top")),
        ("marker_trials", 4, 1_103, ("spine",)),
    ],
)
def test_real_archives_load(real_motion, name, clips, frames, unmeasured_joints):
    loaded = load_motion_archive(real_motion / f"{name}.npz")
    assert (len(loaded), sum(len(clip) for clip in loaded)) == (clips, frames)
    assert {clip.unmeasured_joints for clip in loaded} == {unmeasured_joints}
    heights = torch.stack([clip.joints[..., 2].amax(dim=1).median() for clip in loaded])
    assert 1.3 < heights.median() < 2.0
