"""Training windows, against a plain loop over samples."""

from dataclasses import replace

import pytest
import torch

from spgnet.data.samples import WindowSampler
from spgnet.geometry.skeleton import HUMAN36M


def naive_sample(views, run_start: int, run: int, context: tuple[int, int]):
    """Screen window and joints of one run, frame by frame."""
    ends = views.lengths.cumsum(0).tolist()
    view = next(v for v, end in enumerate(ends) if run_start < end)
    first, last = (ends[view] - int(views.lengths[view])), ends[view] - 1
    frames = range(run_start - context[0], run_start + run + context[1])
    screen = torch.stack([views.screen[min(max(frame, first), last)] for frame in frames])
    return view, screen, views.joints[run_start : run_start + run]


@pytest.mark.parametrize(("run", "context"), [(1, (0, 0)), (2, (4, 4)), (3, (8, 0))])
def test_gathered_windows_equal_a_loop_over_samples(views, run, context):
    sampler = WindowSampler(views, run=run, context=context)
    torch.manual_seed(0)
    edges = torch.tensor([0, 1, len(sampler) - 1])
    runs = torch.cat((edges, torch.randint(len(sampler), (20,))))
    batch = sampler.gather(runs, torch.zeros(len(runs), dtype=torch.bool))
    for sample, number in enumerate(runs.tolist()):
        view, screen, joints = naive_sample(views, int(sampler.starts[number]), run, context)
        assert torch.equal(batch.screen[sample], screen)
        assert torch.equal(batch.joints[sample], joints)
        assert torch.equal(batch.cameras.rotation[sample], views.cameras.rotation[view])
        assert torch.equal(batch.seen[sample], screen[context[0] : context[0] + run])


def test_runs_never_cross_from_one_view_into_the_next(views):
    sampler = WindowSampler(views, run=5, context=(0, 0))
    assert len(sampler) == int((views.lengths - 4).clamp(min=0).sum())
    assert torch.equal(sampler.view[sampler.starts], sampler.view[sampler.starts + 4])


def test_a_mirrored_sample_is_the_mirror_image_and_its_camera_projects_it_to_its_input(views):
    sampler = WindowSampler(views, run=2, context=(4, 4))
    runs = torch.tensor([3, 3])
    batch = sampler.gather(runs, torch.tensor([False, True]))
    assert torch.equal(batch.screen[1], HUMAN36M.flip(batch.screen[0]))
    assert torch.equal(batch.joints[1], HUMAN36M.flip(batch.joints[0]))
    assert torch.allclose(batch.cameras[:, None].camera_to_screen(batch.joints), batch.seen, atol=1e-5)


def test_pose_and_root_add_up_to_the_joints(views):
    batch = WindowSampler(views, run=2, context=(0, 0)).gather(
        torch.arange(4), torch.zeros(4, dtype=torch.bool)
    )
    assert torch.allclose(batch.pose + batch.root, batch.joints)
    assert batch.pose[:, :, 0].abs().max() == 0


def test_too_few_frames_are_refused(views):
    short = replace(
        views,
        joints=views.joints[:3],
        screen=views.screen[:3],
        cameras=views.cameras[:2],
        lengths=torch.tensor([2, 1]),
        names=views.names[:2],
        subjects=views.subjects[:2],
        actions=views.actions[:2],
    )
    with pytest.raises(ValueError, match="too few frames: a sample needs 3 in a row, the longest clip has 2"):
        WindowSampler(short, run=3, context=(0, 0))


@pytest.mark.parametrize("run", [1, 2, 3])
def test_every_output_frame_is_scored(views, run):
    scored = torch.ones(len(views.joints), dtype=torch.bool)
    scored[::5] = False
    sampler = WindowSampler(replace(views, eval_mask=scored), run=run, context=(1, 1))
    naive = [
        frame
        for view in range(len(views))
        for frame in range(views.frames_of(view).start, views.frames_of(view).stop - run + 1)
        if all(frame + later in set(scored.nonzero().flatten().tolist()) for later in range(run))
    ]
    assert sampler.starts.tolist() == naive
