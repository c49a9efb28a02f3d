"""Takes and their datasets: which frames are evaluated."""

from dataclasses import replace

import jaxtyping
import pytest
import torch

from spgnet.data.dataset import PoseDataset, project_takes
from spgnet.datasets.takes import Take
from spgnet.geometry.rigs import human36m_rig

CAMERAS = human36m_rig("S1")[:2]


def a_take(name: str, frames: int, scored: list[int] | None = None) -> Take:
    joints = torch.rand(frames, 17, 3, generator=torch.Generator().manual_seed(frames))
    marked = None
    if scored is not None:
        marked = torch.zeros(frames, dtype=torch.bool)
        marked[scored] = True
    return Take(name, "s", "walk", 50.0, CAMERAS, joints, eval_mask=marked)


@pytest.fixture(scope="module")
def dataset():
    return project_takes([a_take("a", 4, [1, 2]), a_take("b", 3), a_take("c", 2, [0])])


def test_a_take_must_say_of_every_frame_whether_it_is_scored(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # it refuses other shapes by itself
    with pytest.raises(ValueError, match=r"take 'a': eval_mask has shape \(3,\), expected \(4,\)$"):
        replace(a_take("a", 4), eval_mask=torch.ones(3, dtype=torch.bool))


def test_a_take_in_which_no_frame_is_scored_is_refused():
    with pytest.raises(ValueError, match=r"take 'a': no frame is evaluated$"):
        a_take("a", 4, [])


def test_every_camera_of_a_take_has_its_scored_frames_and_a_take_that_names_none_has_all(dataset):
    a, b, c = [0, 1, 1, 0], [1, 1, 1], [1, 0]
    assert dataset.eval_mask.tolist() == [*a, *a, *b, *b, *c, *c]
    assert torch.equal(dataset.eval_frames(), dataset.eval_mask)
    assert len(dataset.joints) == 2 * (4 + 3 + 2)


def test_views_of_takes_that_are_scored_throughout_have_no_mask():
    dataset = project_takes([a_take("a", 4), a_take("b", 3)])
    assert dataset.eval_mask is None
    assert dataset.eval_frames().tolist() == [True] * 14
    assert dataset.select([3, 0]).eval_mask is None
    assert (dataset + dataset).eval_mask is None
    assert dataset.to(torch.device("cpu")).eval_mask is None


def test_a_selection_takes_its_scored_frames_along(dataset):
    """In the order of the selection: the first camera of c, the second of a."""
    assert dataset.select([4, 1]).eval_mask.tolist() == [1, 0, 0, 1, 1, 0]


def test_a_sum_has_both_masks_and_that_of_a_side_without_one_is_full(dataset):
    full = project_takes([a_take("d", 5)])
    mask, ones = dataset.eval_mask.tolist(), [True] * 10
    assert (dataset + dataset).eval_mask.tolist() == mask + mask
    assert (dataset + full).eval_mask.tolist() == mask + ones
    assert (full + dataset).eval_mask.tolist() == ones + mask


def test_the_mask_goes_where_the_views_go(dataset, monkeypatch):
    monkeypatch.setattr(PoseDataset, "__post_init__", lambda self: None)  # a tensor on "meta" has no values
    moved = dataset.to(torch.device("meta"))
    assert moved.eval_mask.device.type == moved.joints.device.type == "meta"


def test_blotting_out_labels_keeps_the_mask(dataset):
    labelled, rest = dataset.with_labels(0.5)
    for part in (labelled, rest):
        expected = torch.cat(
            [dataset.eval_mask[dataset.frames_of(dataset.names.index(name))] for name in part.names]
        )
        assert torch.equal(part.eval_mask, expected)
