"""Where data come from: motion, recorded takes, and takes without 3D."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset, comes_near
from spgnet.data.sources import (
    add_virtual_cameras,
    check_data,
    load_dataset,
    load_training_data,
    load_validation,
)
from spgnet.datasets.archive import save_motion_archive
from spgnet.datasets.take_files import save_take
from spgnet.datasets.takes import Take
from spgnet.errors import InputError
from spgnet.geometry.rigs import random_rig
from spgnet.synthetic.procedural import procedural_clips


def take(seed: int, *, labelled: bool = True) -> Take:
    """Two cameras, a second of motion, and what a detector saw: 4 pixels to the right of the truth."""
    (clip,) = procedural_clips(1, seed=seed, seconds=1.0, fps=50.0)
    cameras = replace(random_rig(2, seed=seed, distance=(4.0, 5.0)), convention="opencv")
    pixels = cameras[:, None].world_to_image(clip.joints)
    pixels = pixels + torch.tensor([4.0, 0.0])
    joints = clip.joints if labelled else None
    return Take(f"take{seed}", "Ada", clip.action, 50.0, cameras, joints, {"mine": pixels})


@pytest.fixture
def recorded(tmp_path) -> DataConfig:
    """Three takes for training, one of them without 3D, and one for the test."""
    for split, each in (
        ("train", take(0)),
        ("train", take(1)),
        ("train", take(2, labelled=False)),
        ("test", take(3)),
    ):
        (tmp_path / split).mkdir(exist_ok=True)
        save_take(tmp_path / split / f"{each.name}.npz", each)
    return DataConfig(takes=tmp_path, input="detected", detector="mine")


def test_people_and_actions_to_train_on_and_people_to_validate_on_are_chosen_by_name(tmp_path):
    (tmp_path / "train").mkdir()
    performances = (("Ada", "walk"), ("Ben", "walk"), ("Cy", "walk"), ("Ada", "sit"))
    for number, (subject, action) in enumerate(performances):
        each = replace(take(number), subject=subject, action=action)
        save_take(tmp_path / "train" / f"{number}.npz", each)
    data = DataConfig(takes=tmp_path, validation_subjects=("Ben",))

    def people(dataset: PoseDataset | None) -> set[tuple[str, str]]:
        assert dataset is not None
        return set(zip(dataset.subjects, dataset.actions, strict=True))

    assert people(load_training_data(data).dataset) == {("Ada", "walk"), ("Ada", "sit"), ("Cy", "walk")}
    assert people(load_validation(data)) == people(load_dataset(data, "validation")) == {("Ben", "walk")}
    some = replace(data, subjects=("Ada",), actions=("walk",))
    assert people(load_training_data(some).dataset) == {("Ada", "walk")}
    with pytest.raises(InputError, match="no subject Dan; there are Ada, Ben, Cy"):
        load_training_data(replace(data, subjects=("Dan",)))
    with pytest.raises(InputError, match="no action run; there are sit, walk"):
        load_training_data(replace(data, actions=("run",)))
    with pytest.raises(InputError, match="Ada cannot be trained and validated on"):
        replace(data, subjects=("Ada",), validation_subjects=("Ada",))


def test_random_cameras_are_drawn_again_where_somebody_comes_near_them():
    (clip,) = procedural_clips(1, seed=0, seconds=2.0, fps=50.0)
    aside = replace(clip, joints=clip.joints + torch.tensor([2.0, 2.0, 0.0]))
    monster = aside.with_bone_scales(torch.full((16,), 2.0))  # reaches a metre further than a person
    generator = torch.Generator().manual_seed(0)
    pieces = [
        piece for _ in range(20) for piece in add_virtual_cameras([monster], "test", "random", generator)
    ]
    assert len(pieces) >= 20
    assert not any(comes_near(piece.joints, cameras) for piece, cameras in pieces)
    first = [random_rig(4, seed=seed) for seed in range(20)]
    assert any(comes_near(pieces[0][0].joints, cameras) for cameras in first)


def test_takes_without_3d_are_apart_and_their_joints_unknown(recorded):
    data = load_training_data(recorded)
    labelled, unlabelled = data.dataset, data.unlabelled
    assert isinstance(labelled, PoseDataset)
    assert unlabelled is not None
    assert (len(labelled), len(unlabelled)) == (4, 2)
    assert labelled.joints.isfinite().all()
    assert unlabelled.joints.isnan().all()
    assert unlabelled.keypoints_2d.isfinite().all()


def test_people_who_are_held_out_are_not_trained_on_without_3d_either(tmp_path):
    (tmp_path / "train").mkdir()
    people = (("Ada", True), ("Ben", True), ("Ben", False), ("Cy", False))
    for number, (subject, labelled) in enumerate(people):
        each = replace(take(number, labelled=labelled), subject=subject)
        save_take(tmp_path / "train" / f"{number}.npz", each)
    data = DataConfig(takes=tmp_path, input="detected", detector="mine", validation_subjects=("Ben",))
    unlabelled = load_training_data(data).unlabelled
    assert unlabelled is not None
    assert set(unlabelled.subjects) == {"Cy"}
    (tmp_path / "train" / "3.npz").unlink()
    assert load_training_data(data).unlabelled is None


def test_people_and_actions_that_are_not_chosen_are_not_trained_on_without_3d_either(tmp_path):
    (tmp_path / "train").mkdir()
    takes = (("Ada", "walk", True), ("Ada", "walk", False), ("Ada", "sit", False), ("Cy", "walk", False))
    for number, (subject, action, labelled) in enumerate(takes):
        each = replace(take(number, labelled=labelled), subject=subject, action=action)
        save_take(tmp_path / "train" / f"{number}.npz", each)
    data = DataConfig(takes=tmp_path, input="detected", detector="mine", subjects=("Ada",))

    def unlabelled(data: DataConfig) -> list[tuple[str, str]]:
        dataset = load_training_data(data).unlabelled
        return [] if dataset is None else list(zip(dataset.subjects, dataset.actions, strict=True))

    assert {*unlabelled(data)} == {("Ada", "walk"), ("Ada", "sit")}
    assert {*unlabelled(replace(data, actions=("walk",)))} == {("Ada", "walk")}
    assert {*unlabelled(replace(data, subjects=("Ada", "Cy"), actions=("walk",)))} == {
        ("Ada", "walk"),
        ("Cy", "walk"),
    }
    with pytest.raises(InputError, match="no known 3D motion of the chosen subjects and actions"):
        load_training_data(replace(data, subjects=("Cy",)))
    with pytest.raises(InputError, match="no action run; there are sit, walk"):
        load_training_data(replace(data, actions=("run",)))


def test_labels_that_are_not_used_join_the_takes_without_3d(recorded):
    data = load_training_data(replace(recorded, labels=0.5))
    labelled, unlabelled = data.dataset, data.unlabelled
    assert isinstance(labelled, PoseDataset)
    assert unlabelled is not None
    assert (len(labelled), len(unlabelled)) == (2, 4)
    assert unlabelled.joints.isnan().all()
    assert set(labelled.names) | set(unlabelled.names) == {"take0", "take1", "take2"}


def test_detected_projected_and_noisy_input_differ_as_they_say(recorded):
    detected = load_dataset(recorded, "test")
    projected = load_dataset(replace(recorded, input="projected"), "test")
    noisy = load_dataset(replace(recorded, input="noisy"), "test")
    assert torch.equal(detected.joints, projected.joints)
    moved = detected.keypoints_2d - projected.keypoints_2d
    assert torch.allclose(moved, torch.tensor([4.0, 0.0]).expand_as(moved), atol=1e-2)
    assert not torch.allclose(noisy.keypoints_2d, projected.keypoints_2d)


def test_a_split_that_is_not_there_is_none_to_validate_on_and_a_fault_to_test_on(recorded):
    assert load_validation(recorded) is None
    with pytest.raises(ValueError, match="no takes with known 3D motion for the split 'validation'"):
        load_dataset(recorded, "validation")


def test_takes_without_3d_cannot_be_projected(recorded):
    with pytest.raises(ValueError, match="take2"):
        load_training_data(replace(recorded, input="projected"))


def test_one_s_own_motion_is_filmed_like_the_benchmark_s(tmp_path):
    save_motion_archive(tmp_path / "mine.npz", procedural_clips(8, seed=0, seconds=2.0, fps=30.0))
    data = DataConfig(motion=tmp_path)
    splits = {split: load_dataset(data, split) for split in ("train", "validation", "test")}
    names = [{name.partition("@")[0] for name in dataset.names} for dataset in splits.values()]
    assert sum(map(len, names)) == len(set.union(*names)) == 8
    assert {dataset.fps for dataset in splits.values()} == {50.0}
    again = load_dataset(data, "train")
    assert torch.equal(again.keypoints_2d, splits["train"].keypoints_2d)


def test_motion_too_short_to_film_is_a_fault(tmp_path):
    save_motion_archive(tmp_path / "mine.npz", procedural_clips(3, seed=0, seconds=0.5))
    with pytest.raises(ValueError, match="no clip of the split 'train' lasts a second"):
        load_dataset(DataConfig(motion=tmp_path), "train")


def test_a_folder_without_motion_for_a_split_is_a_fault_of_randomized_samples_too(tmp_path):
    save_motion_archive(tmp_path / "single.npz", procedural_clips(1, seed=0, seconds=1.0))
    single = DataConfig(motion=tmp_path, input="randomized", generated=0)
    assert len(load_training_data(single).clips) == 1
    for split in ("validation", "test"):
        with pytest.raises(InputError, match=f"has no clip for the split '{split}'"):
            load_dataset(single, split)
    (tmp_path / "test").mkdir()
    save_motion_archive(tmp_path / "test" / "alone.npz", procedural_clips(1, seed=0, seconds=1.0))
    for generated in (0, 2):
        with pytest.raises(InputError, match="has no clip for the split 'train'"):
            load_training_data(replace(single, generated=generated))


def test_what_a_path_holds_is_told(recorded, tmp_path):
    name, checked = check_data(tmp_path)
    assert name == "take files"
    assert not checked.errors
    mocap = tmp_path / "mocap"
    mocap.mkdir()
    save_motion_archive(mocap / "mine.npz", procedural_clips(3, seed=0, seconds=1.0))
    assert check_data(mocap)[0] == "motion capture"
    with pytest.raises(ValueError, match="nowhere: no such file or folder"):
        check_data(Path("nowhere"))


def test_the_benchmark_s_archives_are_checked_by_their_sums(real_motion, tmp_path):
    name, checked = check_data(real_motion)
    assert "open benchmark" in name
    assert len(checked.facts) == 11
    assert not checked.errors
    (tmp_path / "bandai.npz").write_bytes(b"other")
    assert len(check_data(tmp_path)[1].errors) == 6


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"input": "detected"}, "needs recorded takes"),
        ({"labels": 0.0}, r"labels must be a share in \(0, 1\], got 0.0"),
        ({"motion": Path("a"), "takes": Path("b")}, "either motion or takes"),
        ({"input": "randomized", "labels": 0.5}, "randomized samples are drawn from motion"),
        ({"input": "randomized", "takes": Path("b")}, "randomized samples are drawn from motion"),
    ],
)
def test_what_does_not_go_together_is_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        DataConfig(**options)
