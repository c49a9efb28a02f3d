"""The open benchmark's split: what is in it, and what must never be."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spgnet.data import sources
from spgnet.data import sources as staging
from spgnet.data.config import DataConfig
from spgnet.data.sources import load_clips, load_dataset, load_training_data
from spgnet.datasets.archive import load_motion_archive, save_motion_archive
from spgnet.datasets.movements import HELD_OUT_CLIPS
from spgnet.datasets.open_benchmark import BenchmarkVersion, free_groups, open_benchmark_facts
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.procedural import procedural_clips


@pytest.fixture
def small_procedural(monkeypatch):
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 7, "validation": 2, "test": 2})


def clips_of(split, version: BenchmarkVersion = 1) -> set[tuple[str, str]]:
    return {(g["archive"], name) for g in open_benchmark_facts(version)[split] for name in g["clips"]}


@pytest.mark.parametrize("version", [1, 2])
def test_no_clip_is_in_two_splits(version):
    train, validation, test = (clips_of(split, version) for split in ("train", "validation", "test"))
    assert not train & test
    assert not train & validation
    assert not validation & test


@pytest.mark.parametrize("version", [1, 2])
def test_training_uses_no_non_commercial_motion(version):
    chosen = clips_of("train", version) | clips_of("validation", version)
    assert not any(archive == "bandai.npz" for archive, _ in chosen)


def test_version_2_is_tested_on_what_version_1_is_and_on_more_people():
    assert clips_of("test") < clips_of("test", 2)
    assert clips_of("train") - clips_of("train", 2) == {("cmu_actions.npz", name) for name in HELD_OUT_CLIPS}


def test_nobody_of_version_2_is_in_two_splits(real_motion):
    """Where subjects are named; those of ``cmu_actions`` are not, and their subjects are the actions."""
    people = {
        split: {clip.subject for clip in load_clips(DataConfig(motion=real_motion, benchmark=2), split)}
        for split in ("train", "validation", "test")
    }
    assert not people["train"] & people["validation"]
    assert not people["train"] & people["test"]
    assert not people["validation"] & people["test"]
    assert {"uiprmd-s02", "cmu05", "cmu12", "cmu16"} == people["validation"]
    assert {"uiprmd-s09", "uiprmd-s10", "cmu124"} < people["test"]


def test_no_clip_of_version_2_s_validation_or_test_is_repeated_in_training(real_motion):
    """Knees and elbows of CMU's clips; two of one recording agree to 1 degree, whatever their skeletons."""
    archives = {
        name: {clip.name: clip for clip in load_motion_archive(real_motion / name)}
        for name in open_benchmark_facts(2)["archives"]
        if name.startswith("cmu_")
    }

    def angles(archive: str, name: str) -> torch.Tensor:
        return limb_angles(archives[archive][name].joints)

    def held_out(split) -> set[tuple[str, str]]:
        return {clip for clip in clips_of(split, 2) if clip[0].startswith("cmu_")}

    trained = [angles(*clip) for clip in clips_of("train", 2) if clip[0].startswith("cmu_")]
    repeated = angles("cmu_actions.npz", "walking/train_walking_2")
    assert distance(angles("cmu_iclone.npz", "5/01"), [repeated]) < 2  # as one known case shows
    distances = {clip: distance(angles(*clip), trained) for clip in held_out("validation") | held_out("test")}
    assert min(distances.values()) > 5


def limb_angles(joints: torch.Tensor) -> torch.Tensor:
    """Angles of knees and elbows in degrees, [4, frames]."""
    index, angles = HUMAN36M.names.index, []
    for side in ("left", "right"):
        for limb in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            a, b, c = (joints[:, index(f"{side}_{joint}")] for joint in limb)
            angles.append(torch.cosine_similarity(a - b, c - b, dim=-1).clamp(-1, 1).acos().rad2deg())
    return torch.stack(angles)


def distance(clip: torch.Tensor, others: list[torch.Tensor]) -> float:
    """Least root mean square difference of a clip's middle two seconds from others; ten frames a second."""
    first = max(0, clip.shape[1] // 2 - 50)
    taken = clip[:, first : first + 100 : 5]
    reach = 5 * (taken.shape[1] - 1) + 1
    least = [
        (other.unfold(1, reach, 1)[..., ::5] - taken.unsqueeze(1)).square().mean(dim=(0, 2)).min()
        for other in others
        if other.shape[1] >= reach
    ]
    return torch.stack(least).min().sqrt().item()


def test_weights_for_any_use_are_trained_on_cmu_alone_and_on_nothing_that_they_are_validated_on():
    free = {(group["archive"], name) for group in free_groups() for name in group["clips"]}
    assert all(archive.startswith("cmu_") for archive, _ in free)
    assert not free & clips_of("validation")
    jumps = {name for archive, name in free if archive == "cmu_jump.npz"}
    assert jumps
    assert all(name.startswith("cmu/") for name in jumps)  # the origin of the others is not known
    assert not any(name.startswith("cmu/05") for name in jumps)  # nor the dancer of validation
    assert clips_of("train") < free


def test_cmu_test_clips_come_from_recordings_that_training_does_not_draw_on():
    # Indian dance and martial arts are in no other archive; of their archive, training has the salsa alone.
    assert {name.split("/")[0] for archive, name in clips_of("test") if archive.startswith("cmu")} == {
        "indian",
        "martial",
    }
    assert {name.split("/")[0] for archive, name in clips_of("train") if "dance" in archive} == {"salsa"}


def test_no_trial_recorded_in_two_archives_is_on_both_sides():
    # Trials of CMU 02, 06 and 07 occur in several archives, of which cmu_actions has lost the numbers: all
    # are training. Validation is CMU 05 alone, whose modern dance is in no other archive.
    assert {archive for archive, _ in clips_of("test")} == {"cmu_dance_martial.npz", "bandai.npz"}
    assert {(archive, name.split("/")[0]) for archive, name in clips_of("validation")} == {
        ("cmu_iclone.npz", "5")
    }


def test_train_and_test_cameras_are_those_of_different_sessions():
    sessions = staging.SESSIONS
    assert set(sessions["test"]) == {"S9", "S11"}
    assert not set(sessions["train"]) & set(sessions["test"])


def test_procedural_views_are_the_same_every_time_and_differ_by_split(small_procedural):
    data = DataConfig()
    first, again = load_dataset(data, "test"), load_dataset(data, "test")
    assert torch.equal(first.keypoints_2d, again.keypoints_2d)
    assert not torch.equal(first.joints[:50], load_dataset(data, "validation").joints[:50])


def test_noisy_views_have_the_same_truth_as_projected_ones(small_procedural):
    exact, noisy = (load_dataset(DataConfig(input=kind), "test") for kind in ("projected", "noisy"))
    assert torch.equal(exact.joints, noisy.joints)
    moved = (exact.inputs("screen") - noisy.inputs("screen")).norm(dim=-1)
    assert 0.001 < moved.median() < 0.05


def test_training_bodies_vary_and_stay_symmetric(small_procedural):
    scales = [staging.random_bone_scales(torch.Generator().manual_seed(s)) for s in range(20)]
    names = HUMAN36M.bone_names
    for name in names:
        if name.startswith("left_"):
            twin = names.index(name.replace("left_", "right_"))
            assert all(scale[names.index(name)] == scale[twin] for scale in scales)
    spread = torch.stack(scales).std(dim=0)
    assert (spread > 0.03).all()
    assert torch.stack(scales).min() >= 0.75


def test_random_rigs_film_the_same_motion_from_other_places(small_procedural):
    fixed, random = (load_dataset(DataConfig(rig=rig), "test") for rig in ("human36m", "random"))
    assert len(fixed) == len(random)
    assert not torch.equal(fixed.cameras.position, random.cameras.position)
    world = [
        dataset.cameras[0].camera_to_world(dataset.joints[dataset.frames_of(0)])
        for dataset in (fixed, random)
    ]
    assert torch.allclose(*world, atol=1e-4)


def test_randomized_training_gets_the_free_clips_and_generated_ones(real_motion):
    names = {name for group in free_groups() for name in group["clips"]}
    data = DataConfig(motion=real_motion, input="randomized", generated=16)
    clips = load_training_data(data).clips
    assert {clip.name for clip in clips if clip.subject != "procedural"} == names
    assert sum(clip.subject == "procedural" for clip in clips) == 16
    captured = load_training_data(replace(data, generated=0)).clips
    assert {clip.name for clip in captured} == names
    assert {clip.fps for clip in clips} == {50.0}


def test_what_randomized_training_made_is_tested_on_the_other_studio_alone(real_motion):
    free = {name for group in free_groups() for name in group["clips"]}
    data = DataConfig(motion=real_motion)
    others = {clip.name for clip in load_clips(data, "test", trained_randomized=True)}
    assert others
    assert not free & others
    assert free & {clip.name for clip in load_clips(data, "test")}


def test_fewer_cameras_train_and_all_are_tested(small_procedural):
    one, every = (load_training_data(DataConfig(cameras=count)).dataset for count in (1, None))
    assert one is not None
    assert every is not None
    assert 4 * len(one) == len(every)
    assert torch.equal(one.cameras.position, every.cameras.position[::4])
    assert len(load_dataset(DataConfig(cameras=1), "test")) == len(load_dataset(DataConfig(), "test"))
    with pytest.raises(ValueError, match="cameras must be at least 1, got 0"):
        DataConfig(cameras=0)


def test_a_negative_number_of_generated_clips_is_refused():
    with pytest.raises(ValueError, match="generated must not be negative, got -1"):
        DataConfig(generated=-1)


def test_a_missing_folder_or_archive_or_another_archive_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no such folder"):
        load_dataset(DataConfig(motion=Path("/nowhere")), "train")
    save_motion_archive(tmp_path / "cmu_iclone.npz", procedural_clips(2, seed=0, seconds=1.0))
    with pytest.raises(ValueError, match=r"cmu_iclone.npz: not the archive of that name \(SHA-256"):
        load_dataset(DataConfig(motion=tmp_path), "validation")
    with pytest.raises(ValueError, match=r"cmu_dance_martial.npz: no such file"):
        load_dataset(DataConfig(motion=tmp_path), "test")


@pytest.mark.parametrize(
    ("version", "split", "frames"),
    [
        (1, "train", 417_728),
        (1, "validation", 28_412),
        (1, "test", 329_008),
        (2, "train", 726_784),
        (2, "validation", 52_344),
        (2, "test", 360_036),
    ],
)
def test_the_real_splits_are_whole_and_in_front_of_the_cameras(real_motion, version, split, frames):
    dataset = load_dataset(DataConfig(motion=real_motion, benchmark=version), split)
    assert len(dataset.joints) == frames
    assert dataset.fps == 50
    assert dataset.joints[..., 2].min() > 1.5
    assert (dataset.inputs("screen").abs() < 1.05).all(dim=-1).float().mean() > 0.97
