"""The pose dataset: sequences of clips and takes, as cameras see them."""

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.data.dataset import PoseDataset, project_clips, project_takes
from spgnet.data.input_space import project_to_input_space
from spgnet.datasets.takes import Take
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera, concatenate_cameras
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.rigs import human36m_rig, random_rig
from spgnet.synthetic.detector_noise import DetectorNoise


def standing(frames: int = 3, fps: float = 50.0, name: str = "a") -> MotionClip:
    torch.manual_seed(0)
    joints = torch.rand(frames, 17, 3) * torch.tensor([0.5, 0.5, 1.8])
    return MotionClip(joints, fps=fps, name=name, subject="s", action="x")


def test_every_camera_gives_a_view_of_every_clip():
    rig = human36m_rig("S1")
    dataset = project_clips([(standing(3), rig), (standing(5, name="b"), rig[:2])])
    assert dataset.lengths.tolist() == [3, 3, 3, 3, 5, 5]
    assert dataset.starts.tolist() == [0, 3, 6, 9, 12, 17]
    assert dataset.names == ("a",) * 4 + ("b",) * 2
    assert dataset.frames_of(4) == slice(12, 17)


def test_joints_are_in_the_camera_frame_and_the_input_is_their_projection():
    rig, clip = human36m_rig("S5"), standing(4)
    dataset = project_clips([(clip, rig)])
    for number in range(4):
        camera, frames = dataset.cameras[number], dataset.frames_of(number)
        assert torch.allclose(camera.camera_to_world(dataset.joints[frames]), clip.joints, atol=1e-5)
        assert torch.allclose(dataset.keypoints_2d[frames], camera.world_to_image(clip.joints), atol=1e-2)


def test_noise_changes_the_input_and_never_the_truth():
    clips = [(standing(30), human36m_rig("S1"))]
    exact, noisy = project_clips(clips), project_clips(clips, noise=DetectorNoise(), seed=3)
    assert torch.equal(exact.joints, noisy.joints)
    assert not torch.equal(exact.keypoints_2d, noisy.keypoints_2d)
    assert torch.equal(noisy.keypoints_2d, project_clips(clips, noise=DetectorNoise(), seed=3).keypoints_2d)
    assert not torch.equal(
        noisy.keypoints_2d, project_clips(clips, noise=DetectorNoise(), seed=4).keypoints_2d
    )


def test_clips_of_two_frame_rates_are_refused():
    rig = human36m_rig("S1")
    with pytest.raises(ValueError, match=r"one frame rate, got \[30.0, 50.0\]"):
        project_clips([(standing(fps=50.0), rig), (standing(fps=30.0), rig)])
    with pytest.raises(ValueError, match="one frame rate"):
        project_clips([])


def test_a_clip_that_lacks_joints_is_refused():
    clip = replace(standing(), unmeasured_joints=("nose", "head_top"))
    with pytest.raises(ValueError, match="clip 'a' lacks joints: nose, head_top were not captured"):
        project_clips([(clip, human36m_rig("S1"))])


def test_a_person_behind_a_camera_is_refused():
    rig = human36m_rig("S1")
    clip = standing()
    behind = MotionClip(
        clip.joints + torch.tensor([2.0, 7.0, 0.0]), fps=50.0, name="far", subject="s", action="x"
    )
    with pytest.raises(ValueError, match=r"clip 'far' comes within 0.3 m"):
        project_clips([(behind, rig)])


def a_take(name: str = "a", *, frames: int = 4, seen_by: int = 2, **changes) -> Take:
    """A take with detections that are nowhere near its projections."""
    clip = standing(frames, name=name)
    seen = 1000 * torch.rand(seen_by, frames, 17, 2, generator=torch.Generator().manual_seed(1))
    rig = human36m_rig("S1")[:seen_by]
    take = Take(name, "s", "x", 50.0, rig, clip.joints, {"cpn": seen}, ("spine",))
    return replace(take, **changes)


def unlabelled(take: Take) -> Take:
    return replace(take, joints=None, unmeasured_joints=())


def assert_same(one: PoseDataset, two: PoseDataset) -> None:
    """All fields are the same; NaN equals NaN."""
    for field in fields(PoseDataset):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, Camera):
            assert a.convention == b.convention
            assert all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Camera)[:7])
        elif isinstance(a, torch.Tensor):
            torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)
        else:
            assert a == b


def test_the_detections_of_the_named_detector_are_the_input_of_each_camera():
    other = {"other": torch.zeros(2, 4, 17, 2)}
    take = a_take(detections={**a_take().detections, **other})
    dataset = project_takes([take], detector="cpn")
    projected = project_takes([take])
    assert torch.equal(dataset.joints, projected.joints)
    for number in range(2):
        pixels = dataset.keypoints_2d[dataset.frames_of(number)]
        torch.testing.assert_close(pixels, take.detections["cpn"][number], atol=0, rtol=0)
    assert not torch.allclose(dataset.keypoints_2d, projected.keypoints_2d, atol=50)


def test_takes_and_clips_make_the_same_views():
    clips = [(standing(3), human36m_rig("S1")), (standing(5, name="b"), human36m_rig("S9")[:2])]
    takes = [Take(clip.name, "s", "x", 50.0, rig, clip.joints) for clip, rig in clips]
    for noise in (None, DetectorNoise()):
        assert_same(project_takes(takes, noise=noise, seed=2), project_clips(clips, noise=noise, seed=2))


def test_unlabelled_takes_have_their_2d_and_no_3d():
    takes = [unlabelled(a_take()), a_take("b", frames=3)]
    dataset = project_takes(takes, detector="cpn")
    whole = project_takes([a_take(), takes[1]], detector="cpn")
    assert dataset.joints[:8].isnan().all()
    assert torch.equal(dataset.joints[8:], whole.joints[8:])
    assert torch.equal(dataset.keypoints_2d, whole.keypoints_2d)
    assert dataset.keypoints_2d.isfinite().all()
    assert dataset.unmeasured_joints == whole.unmeasured_joints == ("spine",)
    assert project_takes(takes[:1], detector="cpn").unmeasured_joints == ()


def test_without_3d_nothing_can_be_projected_and_without_2d_nothing_is_seen():
    with pytest.raises(ValueError, match="take 'a' has no 3D joints to project; name a detector"):
        project_takes([unlabelled(a_take())])
    with pytest.raises(ValueError, match="take 'b' has no 2D joints by 'cpn'"):
        project_takes([a_take(), a_take("b", detections={})], detector="cpn")


def test_takes_that_do_not_go_together_are_refused():
    opencv = random_rig(2, seed=0).to_convention("opencv")
    with pytest.raises(ValueError, match="cameras of one lens model"):
        project_takes([a_take(), a_take("b", cameras=opencv, detections={}, joints=torch.zeros(4, 17, 3))])
    with pytest.raises(ValueError, match="lack the same joints"):
        project_takes([a_take(), a_take("b", unmeasured_joints=("nose",))])
    with pytest.raises(ValueError, match=r"one frame rate, got \[25.0, 50.0\]"):
        project_takes([a_take(), a_take("b", fps=25.0)], detector="cpn")


@pytest.fixture
def filmed() -> PoseDataset:
    """Five clips of different lengths, the first three by two cameras and the others by one."""
    takes = [a_take(name, frames=3 + n, seen_by=2 if n < 3 else 1) for n, name in enumerate("abcde")]
    return project_takes(takes)


@pytest.mark.parametrize("chosen", [[0], [4, 1], [7, 6, 5, 4, 3, 2, 1, 0], [2, 2]])
def test_selected_views_are_the_views_one_by_one_in_the_given_order(filmed, chosen):
    some = filmed.select(chosen)
    assert len(some) == len(chosen)
    for number, sequence in enumerate(chosen):
        assert torch.equal(some.joints[some.frames_of(number)], filmed.joints[filmed.frames_of(sequence)])
        assert torch.equal(
            some.keypoints_2d[some.frames_of(number)], filmed.keypoints_2d[filmed.frames_of(sequence)]
        )
        assert torch.equal(some.cameras.position[number], filmed.cameras.position[sequence])
        assert some.names[number] == filmed.names[sequence]
    assert (some.fps, some.unmeasured_joints) == (filmed.fps, filmed.unmeasured_joints)


def test_views_and_then_others_are_all_of_them(filmed):
    assert_same(filmed.select([0, 1, 2]) + filmed.select([3, 4, 5, 6, 7]), filmed)
    with pytest.raises(AssertionError):
        _ = filmed + replace(filmed, fps=25.0)
    with pytest.raises(AssertionError):
        _ = filmed + replace(filmed, unmeasured_joints=())


@settings(max_examples=25)
@given(clips=st.integers(1, 12), small=st.floats(0.001, 1), large=st.floats(0.001, 1))
def test_a_larger_share_of_labels_holds_a_smaller_one(clips, small, large):
    small, large = sorted((small, large))
    dataset = project_takes([a_take(str(n), frames=1) for n in range(clips)])
    few, many = (set(dataset.with_labels(share)[0].names) for share in (small, large))
    assert few <= many
    assert len(few) == max(1, round(small * clips))


@pytest.mark.parametrize("share", [0.001, 0.3, 0.5, 0.8])
def test_all_cameras_of_a_clip_keep_or_lose_their_labels_together(filmed, share):
    labelled, others = filmed.with_labels(share)
    assert others is not None
    assert len(labelled) >= 1
    assert not set(labelled.names) & set(others.names)
    assert sorted(labelled.names + others.names) == sorted(filmed.names)
    kept = [sequence for sequence, name in enumerate(filmed.names) if name in labelled.names]
    rest = [sequence for sequence in range(len(filmed)) if sequence not in kept]
    assert_same(labelled, filmed.select(kept))
    blotted = torch.full_like(others.joints, torch.nan)
    assert_same(others, replace(filmed.select(rest), joints=blotted, unmeasured_joints=()))
    assert not labelled.joints.isnan().any()


def test_all_labels_are_all_views_and_a_single_clip_always_keeps_its_own(filmed):
    assert filmed.with_labels(1.0) == (filmed, None)
    alone, others = filmed.select([0, 1]).with_labels(0.1)
    assert others is None
    assert_same(alone, filmed.select([0, 1]))


def test_labels_are_drawn_by_chance_and_always_the_same(filmed):
    dataset = project_takes([a_take(str(n), frames=1) for n in range(20)])
    first, again = (dataset.with_labels(0.5)[0].names for _ in range(2))
    assert first == again
    assert list(dict.fromkeys(first)) != [str(n) for n in range(10)]


def test_blotted_views_and_those_of_takes_without_3d_go_together(filmed):
    _, others = filmed.with_labels(0.5)
    assert others is not None
    unseen = project_takes([unlabelled(a_take("z"))], detector="cpn")
    assert (others + unseen).joints.isnan().all()


def test_image_input_is_as_videopose3d_normalises_pixels(filmed):
    """Its function makes x / w * 2 - 1 and y / w * 2 - h / w of pixels (x, y) in an image of w by h."""
    cameras = replace(filmed.cameras, image_size=torch.tensor([[1000.0, 1002.0]]).repeat(8, 1))
    cameras.image_size[3] = torch.tensor([1920.0, 1080.0])
    dataset = replace(filmed, cameras=cameras)
    for sequence in range(len(dataset)):
        w, h = cameras.image_size[sequence].tolist()
        frames = dataset.frames_of(sequence)
        x, y = dataset.keypoints_2d[frames].unbind(-1)
        expected = torch.stack((x / w * 2 - 1, y / w * 2 - h / w), dim=-1)
        torch.testing.assert_close(dataset.inputs("image")[frames], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("input_space", ["screen", "rays", "image"])
def test_the_input_is_the_projection_of_the_joints_into_the_input_space(filmed, input_space):
    cameras = filmed.cameras[filmed.sequence_of_frames()]
    expected = project_to_input_space(filmed.joints, cameras, input_space)
    torch.testing.assert_close(filmed.inputs(input_space)[..., :2], expected, atol=1e-4, rtol=0)


def test_rays_say_which_joints_are_visible_and_other_inputs_do_not(filmed):
    visible = torch.rand(filmed.joints.shape[:2]) < 0.5
    marked = replace(filmed, visible=visible)
    assert torch.equal(marked.inputs("rays")[..., 2], visible.float())
    assert torch.equal(marked.inputs("rays")[..., :2], filmed.inputs("rays")[..., :2])
    assert bool((filmed.inputs("rays")[..., 2] == 1).all())
    for input_space in ("screen", "image"):
        assert torch.equal(marked.inputs(input_space), filmed.inputs(input_space))


def test_the_confidence_of_detections_is_a_channel_for_those_who_ask_for_it():
    take = a_take()
    seen = torch.cat((take.detections["cpn"], torch.rand(2, len(take), 17, 1)), dim=-1)
    known = project_takes([replace(take, detections={"cpn": seen})], detector="cpn")
    plain = project_takes([take], detector="cpn")
    assert torch.equal(known.confidence, seen[..., 2].flatten(0, 1))
    assert torch.equal(known.keypoints_2d, plain.keypoints_2d)
    for space, channels in (("screen", 2), ("rays", 3)):
        inputs = known.inputs(space, with_confidence=True)
        assert torch.equal(inputs[..., channels], known.confidence)
        assert torch.equal(known.inputs(space), plain.inputs(space))
    with pytest.raises(InputError, match="detector's confidence of every joint, which this 2D input lacks"):
        plain.inputs("screen", with_confidence=True)
    assert (known + plain).confidence is None
    assert torch.equal((known + known).confidence, known.confidence.repeat(2, 1))
    assert torch.equal(known.select([1]).confidence, seen[1, ..., 2])
    assert known.sha256() != plain.sha256()


def test_datasets_that_differ_in_anything_have_another_sha256(filmed):
    cameras = filmed.cameras
    other_cameras = [
        replace(cameras, convention="opencv"),
        replace(cameras, extrinsics="estimated"),
        *(
            replace(cameras, **{each.name: getattr(cameras, each.name) + 1})
            for each in fields(cameras)
            if each.name not in ("convention", "extrinsics")
        ),
    ]
    others = [replace(filmed, cameras=each) for each in other_cameras]
    others += [
        replace(filmed, joints=filmed.joints + 1),
        replace(filmed, keypoints_2d=filmed.keypoints_2d + 1),
        replace(filmed, fps=filmed.fps + 1),
        replace(filmed, subjects=("Ada",) * len(filmed)),
        replace(filmed, eval_mask=torch.zeros(len(filmed.joints), dtype=torch.bool)),
    ]
    assert len({each.sha256() for each in (filmed, *others)}) == 1 + len(others)
    assert filmed.sha256() == replace(filmed, joints=filmed.joints.clone()).sha256()


def test_visible_joints_go_where_their_frames_go(filmed):
    marked = replace(filmed, visible=torch.rand(filmed.joints.shape[:2]) < 0.5)
    some, frames = marked.select([4, 1]), [marked.frames_of(4), marked.frames_of(1)]
    assert torch.equal(some.visible, torch.cat([marked.visible[each] for each in frames]))
    assert torch.equal((marked + filmed).visible[: len(marked.joints)], marked.visible)
    assert (marked + filmed).visible[len(marked.joints) :].all()
    assert (filmed + filmed).visible is None


def test_batches_of_cameras_are_concatenated_in_their_order():
    rig = human36m_rig("S5")
    joined = concatenate_cameras([rig[2:], rig[:2]])
    assert torch.equal(joined.position, rig.position[[2, 3, 0, 1]])
    with pytest.raises(AssertionError):
        concatenate_cameras([random_rig(1, seed=0), random_rig(1, seed=0).to_convention("opencv")])
