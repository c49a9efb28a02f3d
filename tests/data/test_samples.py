"""Training windows, against a plain loop over samples."""

from dataclasses import replace

import pytest
import torch

from spgnet.data.samples import WindowSampler
from spgnet.geometry.skeleton import HUMAN36M


def naive_sample(dataset, start: int, count: int, context: tuple[int, int]):
    """Input window and joints of one sample, frame by frame."""
    screen, ends = dataset.inputs("screen"), dataset.lengths.cumsum(0).tolist()
    sequence = next(v for v, end in enumerate(ends) if start < end)
    first, last = (ends[sequence] - int(dataset.lengths[sequence])), ends[sequence] - 1
    frames = range(start - context[0], start + count + context[1])
    inputs = torch.stack([screen[min(max(frame, first), last)] for frame in frames])
    return sequence, inputs, dataset.joints[start : start + count]


@pytest.mark.parametrize(("count", "context"), [(1, (0, 0)), (2, (4, 4)), (3, (8, 0))])
def test_gathered_windows_equal_a_loop_over_samples(dataset, count, context):
    sampler = WindowSampler(dataset, frames_per_sample=count, context=context)
    torch.manual_seed(0)
    edges = torch.tensor([0, 1, len(sampler) - 1])
    places = torch.cat((edges, torch.randint(len(sampler), (20,))))
    batch = sampler.gather(places, torch.zeros(len(places), dtype=torch.bool))
    for sample, number in enumerate(places.tolist()):
        sequence, inputs, joints = naive_sample(dataset, int(sampler.starts[number]), count, context)
        assert torch.equal(batch.keypoints_2d[sample], inputs)
        assert torch.equal(batch.joints[sample], joints)
        assert batch.cameras is not None
        assert torch.equal(batch.cameras.rotation[sample], dataset.cameras.rotation[sequence])
        assert torch.equal(batch.target_2d[sample], inputs[context[0] : context[0] + count])


def test_samples_never_cross_from_one_view_into_the_next(dataset):
    sampler = WindowSampler(dataset, frames_per_sample=5, context=(0, 0))
    assert len(sampler) == int((dataset.lengths - 4).clamp(min=0).sum())
    assert torch.equal(sampler.sequence[sampler.starts], sampler.sequence[sampler.starts + 4])


def test_a_mirrored_sample_is_the_mirror_image_and_its_camera_projects_it_to_its_input(dataset):
    sampler = WindowSampler(dataset, frames_per_sample=2, context=(4, 4))
    places = torch.tensor([3, 3])
    batch = sampler.gather(places, torch.tensor([False, True]))
    assert torch.equal(batch.keypoints_2d[1], HUMAN36M.flip(batch.keypoints_2d[0]))
    assert torch.equal(batch.joints[1], HUMAN36M.flip(batch.joints[0]))
    assert batch.cameras is not None
    assert torch.allclose(batch.cameras[:, None].camera_to_screen(batch.joints), batch.target_2d, atol=1e-5)


def test_confidence_is_a_last_channel_that_goes_to_the_other_side_in_mirrored_samples(dataset):
    marked = replace(dataset, confidence=torch.rand(dataset.joints.shape[:2]))
    sampler = WindowSampler(marked, frames_per_sample=2, context=(0, 0), with_confidence=True)
    batch = sampler.gather(torch.tensor([3, 3]), torch.tensor([False, True]))
    plain = WindowSampler(dataset, frames_per_sample=2, context=(0, 0)).gather(
        torch.tensor([3, 3]), torch.tensor([False, True])
    )
    assert torch.equal(batch.keypoints_2d[..., :2], plain.keypoints_2d)
    assert torch.equal(batch.target_2d, plain.target_2d)
    assert torch.equal(batch.keypoints_2d[0, :, :, 2], marked.confidence[3:5])
    assert torch.equal(batch.keypoints_2d[1, :, :, 2], marked.confidence[3:5, HUMAN36M.mirror])


def test_with_mirrored_copies_every_window_is_there_twice_as_it_is_and_mirrored(dataset):
    window = {"frames_per_sample": 2, "context": (1, 1)}
    plain = WindowSampler(dataset, flip=False, **window)
    copies = WindowSampler(dataset, mirrored_copies=True, **window)
    count = len(plain)
    assert len(copies) == 2 * count
    every, mirrored = plain.draw(torch.arange(count)), copies.draw(torch.arange(count, 2 * count))
    assert torch.equal(copies.draw(torch.arange(count)).joints, every.joints)
    assert torch.equal(mirrored.joints, HUMAN36M.flip(every.joints))
    assert torch.equal(mirrored.keypoints_2d, HUMAN36M.flip(every.keypoints_2d))


def test_the_exact_target_is_the_projection_of_the_truth_whatever_the_input_is(dataset):
    shifted = replace(dataset, keypoints_2d=dataset.keypoints_2d + 5)
    places, flip = torch.arange(4), torch.tensor([False, True] * 2)
    window = {"frames_per_sample": 2, "context": (1, 1)}
    given = WindowSampler(shifted, **window).gather(places, flip)
    exact = WindowSampler(shifted, **window, exact_target=True).gather(places, flip)
    true = WindowSampler(dataset, **window).gather(places, flip)
    assert torch.equal(exact.keypoints_2d, given.keypoints_2d)
    assert torch.allclose(exact.target_2d, true.target_2d, atol=1e-5)
    assert not torch.allclose(given.target_2d, true.target_2d, atol=1e-3)


def test_pose_and_root_add_up_to_the_joints(dataset):
    batch = WindowSampler(dataset, frames_per_sample=2, context=(0, 0)).gather(
        torch.arange(4), torch.zeros(4, dtype=torch.bool)
    )
    assert torch.allclose(batch.pose + batch.root, batch.joints)
    assert batch.pose[:, :, 0].abs().max() == 0


def test_too_few_frames_are_refused(dataset):
    short = replace(
        dataset,
        joints=dataset.joints[:3],
        keypoints_2d=dataset.keypoints_2d[:3],
        cameras=dataset.cameras[:2],
        lengths=torch.tensor([2, 1]),
        names=dataset.names[:2],
        subjects=dataset.subjects[:2],
        actions=dataset.actions[:2],
    )
    with pytest.raises(ValueError, match="too few frames: a sample needs 3 in a row, the longest clip has 2"):
        WindowSampler(short, frames_per_sample=3, context=(0, 0))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_output_frame_is_scored(dataset, count):
    scored = torch.ones(len(dataset.joints), dtype=torch.bool)
    scored[::5] = False
    sampler = WindowSampler(replace(dataset, eval_mask=scored), frames_per_sample=count, context=(1, 1))
    naive = [
        frame
        for sequence in range(len(dataset))
        for frame in range(dataset.frames_of(sequence).start, dataset.frames_of(sequence).stop - count + 1)
        if all(frame + later in set(scored.nonzero().flatten().tolist()) for later in range(count))
    ]
    assert sampler.starts.tolist() == naive


def test_a_random_half_of_the_samples_is_mirrored_unless_told_otherwise(dataset):
    """Of those from given places and of those from random ones; the places do not depend on the mirror."""
    window = {"frames_per_sample": 2, "context": (1, 1)}
    places = torch.arange(60)
    drawn = []
    for options in ({}, {"flip": False}):
        sampler = WindowSampler(dataset, **window, **options)
        torch.manual_seed(0)
        drawn.append((sampler.draw(places), sampler.draw_random(60)))
    for mirrored, straight in zip(*drawn, strict=True):
        same = (mirrored.joints == straight.joints).flatten(1).all(dim=1)
        flipped = (mirrored.joints == HUMAN36M.flip(straight.joints)).flatten(1).all(dim=1)
        assert torch.equal(same, ~flipped)
        assert 20 < int(flipped.sum()) < 40
    assert torch.equal(drawn[1][0].joints, WindowSampler(dataset, **window).gather(places, places < 0).joints)


def test_image_coordinates_whose_mirror_image_is_not_known_are_refused(dataset):
    with pytest.raises(ValueError, match="image coordinates cannot be trained"):
        WindowSampler(dataset, frames_per_sample=2, context=(0, 0), input_space="image")


def test_batches_of_rays_say_so_and_their_targets_are_the_output_frames_rays(dataset):
    sampler = WindowSampler(dataset, frames_per_sample=2, context=(1, 1), input_space="rays", flip=False)
    batch = sampler.draw(torch.arange(1, 5))
    rays = dataset.inputs("rays")
    assert batch.input_space == "rays"
    assert torch.equal(batch.target_2d, torch.stack([rays[i : i + 2, :, :2] for i in range(1, 5)]))
