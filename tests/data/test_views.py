"""Views: what cameras see of clips."""

from dataclasses import replace

import pytest
import torch

from spgnet.data.noise import DetectorNoise
from spgnet.data.views import film
from spgnet.motion import MotionClip
from spgnet.rigs import human36m_rig


def standing(frames: int = 3, fps: float = 50.0, name: str = "a") -> MotionClip:
    torch.manual_seed(0)
    joints = torch.rand(frames, 17, 3) * torch.tensor([0.5, 0.5, 1.8])
    return MotionClip(joints, fps=fps, name=name, subject="s", action="x")


def test_every_camera_gives_a_view_of_every_clip():
    rig = human36m_rig("S1")
    views = film([(standing(3), rig), (standing(5, name="b"), rig[:2])])
    assert views.lengths.tolist() == [3, 3, 3, 3, 5, 5]
    assert views.starts.tolist() == [0, 3, 6, 9, 12, 17]
    assert views.names == ("a",) * 4 + ("b",) * 2
    assert views.frames_of(4) == slice(12, 17)


def test_joints_are_in_the_camera_frame_and_the_input_is_their_projection():
    rig, clip = human36m_rig("S5"), standing(4)
    views = film([(clip, rig)])
    for number in range(4):
        camera, frames = views.cameras[number], views.frames_of(number)
        assert torch.allclose(camera.camera_to_world(views.joints[frames]), clip.joints, atol=1e-5)
        expected = camera.image_to_screen(camera.world_to_image(clip.joints))
        assert torch.allclose(views.screen[frames], expected, atol=1e-5)


def test_noise_changes_the_input_and_never_the_truth():
    clips = [(standing(30), human36m_rig("S1"))]
    exact, noisy = film(clips), film(clips, noise=DetectorNoise(), seed=3)
    assert torch.equal(exact.joints, noisy.joints)
    assert not torch.equal(exact.screen, noisy.screen)
    assert torch.equal(noisy.screen, film(clips, noise=DetectorNoise(), seed=3).screen)
    assert not torch.equal(noisy.screen, film(clips, noise=DetectorNoise(), seed=4).screen)


def test_clips_of_two_frame_rates_are_refused():
    rig = human36m_rig("S1")
    with pytest.raises(ValueError, match=r"one frame rate, got \[30.0, 50.0\]"):
        film([(standing(fps=50.0), rig), (standing(fps=30.0), rig)])
    with pytest.raises(ValueError, match="one frame rate"):
        film([])


def test_a_clip_that_lacks_joints_is_refused():
    clip = replace(standing(), uncaptured=("nose", "head_top"))
    with pytest.raises(ValueError, match="clip 'a' lacks joints: nose, head_top were not captured"):
        film([(clip, human36m_rig("S1"))])


def test_a_person_behind_a_camera_is_refused():
    rig = human36m_rig("S1")
    clip = standing()
    behind = MotionClip(
        clip.joints + torch.tensor([2.0, 7.0, 0.0]), fps=50.0, name="far", subject="s", action="x"
    )
    with pytest.raises(ValueError, match=r"clip 'far' comes within 0.3 m"):
        film([(behind, rig)])
