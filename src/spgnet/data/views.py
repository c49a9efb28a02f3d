"""Views: clips of motion as cameras see them, all in a few tensors on one device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spgnet.camera import Camera
from spgnet.data.noise import DetectorNoise, detect
from spgnet.motion import MotionClip


@dataclass(frozen=True)
class Views:
    """A dataset: every view is one clip seen by one camera, and all views lie end to end.

    Args:
        joints: true joints in metres, in the camera frame of their view.
        screen: the 2D input, in screen coordinates: exact projections or (simulated) detections. A third
            channel, if there is one, says whether a joint was seen.
        cameras: the camera of each view, a batch of shape [views].
        lengths: frames of each view.
        fps: frames per second, of all views.
        names: the clip of each view.
        subjects: who moves.
        actions: what they do; results are grouped by it.
    """

    joints: Float[Tensor, "frames 17 3"]
    screen: Float[Tensor, "frames 17 channels"]
    cameras: Camera
    lengths: Int[Tensor, " views"]
    fps: float
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    actions: tuple[str, ...]

    def __post_init__(self) -> None:
        assert len(self.joints) == len(self.screen) == int(self.lengths.sum())
        assert len(self.lengths) == len(self.names) == len(self.subjects) == len(self.actions)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def starts(self) -> Int[Tensor, " views"]:
        """Index of each view's first frame."""
        return self.lengths.cumsum(0) - self.lengths

    def frames_of(self, view: int) -> slice:
        """Where a view's frames lie."""
        start = int(self.starts[view])
        return slice(start, start + int(self.lengths[view]))

    def rays(self) -> Float[Tensor, "frames 17 3"]:
        """The 2D input as networks on rays take it: x / z, y / z, and whether each joint was seen."""
        cameras = self.cameras[
            torch.arange(len(self), device=self.lengths.device).repeat_interleave(self.lengths)
        ]
        rays = cameras.image_to_rays(cameras.screen_to_image(self.screen[..., :2]))
        seen = self.screen[..., 2:] if self.screen.shape[-1] == 3 else torch.ones_like(rays[..., :1])
        return torch.cat((rays, seen), dim=-1)

    def to(self, device: torch.device) -> Views:
        """The same views on another device."""
        return replace(
            self,
            joints=self.joints.to(device),
            screen=self.screen.to(device),
            cameras=self.cameras.to(device),
            lengths=self.lengths.to(device),
        )


def film(
    clips: Sequence[tuple[MotionClip, Camera]], *, noise: DetectorNoise | None = None, seed: int = 0
) -> Views:
    """Let cameras look at clips: every camera of the batch that comes with a clip gives a view.

    Args:
        clips: each clip with its cameras (a batch of shape [cameras]).
        noise: how a detector errs; without it, the 2D input is the exact projection.
        seed: of the noise.

    Raises:
        ValueError: there is no clip, frame rates differ, a clip lacks joints, or a person comes within
            0.3 m of an image plane.
    """
    if len({clip.fps for clip, _ in clips}) != 1:
        raise ValueError(f"views need clips of one frame rate, got {sorted({clip.fps for clip, _ in clips})}")
    for clip, _ in clips:
        if clip.uncaptured:
            raise ValueError(
                f"clip {clip.name!r} lacks joints: {', '.join(clip.uncaptured)} were not captured"
            )
    generator = torch.Generator().manual_seed(seed)
    joints, screen = [], []
    for clip, cameras in clips:
        for camera in (cameras[i] for i in range(len(cameras.focal))):
            joints.append(camera.world_to_camera(clip.joints))
            if bool((joints[-1][..., 2] < 0.3).any()):
                raise ValueError(f"clip {clip.name!r} comes within 0.3 m of a camera's image plane")
            pixels = camera.camera_to_image(joints[-1])
            if noise is not None:
                pixels = detect(pixels, noise, fps=clip.fps, generator=generator)
            screen.append(camera.image_to_screen(pixels))
    seen = [clip for clip, cameras in clips for _ in range(len(cameras.focal))]
    return Views(
        joints=torch.cat(joints),
        screen=torch.cat(screen),
        cameras=concatenate_cameras([cameras for _, cameras in clips]),
        lengths=torch.tensor([len(clip) for clip in seen]),
        fps=seen[0].fps,
        names=tuple(clip.name for clip in seen),
        subjects=tuple(clip.subject for clip in seen),
        actions=tuple(clip.action for clip in seen),
    )


def concatenate_cameras(cameras: Sequence[Camera]) -> Camera:
    """Batches of cameras of one convention, one after the other."""
    assert len({batch.convention for batch in cameras}) == 1
    names = ("focal", "center", "radial", "tangential", "rotation", "position", "image_size")
    joined = {name: torch.cat([getattr(batch, name) for batch in cameras]) for name in names}
    return Camera(**joined, convention=cameras[0].convention)
