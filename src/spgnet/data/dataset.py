"""Views: clips of motion as cameras see them, all in a few tensors on one device."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spgnet.datasets.takes import Take
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera, concatenate_cameras
from spgnet.geometry.motion_clip import MotionClip
from spgnet.synthetic.detector_noise import DetectorNoise, detect


@dataclass(frozen=True)
class PoseDataset:
    """A dataset: every view is one clip seen by one camera, and all views lie end to end.

    Args:
        joints: true joints in metres, in the camera frame of their view; NaN where they are not known.
        screen: the 2D input, in screen coordinates: exact projections or (simulated) detections. A third
            channel, if there is one, says whether a joint was seen.
        cameras: the camera of each view, a batch of shape [views].
        lengths: frames of each view.
        fps: frames per second, of all views.
        names: the clip of each view.
        subjects: who moves.
        actions: what they do; results are grouped by it.
        unmeasured_joints: names of joints whose true positions are guesses and which are not
            scored; none where no true position is known.
        eval_mask: which frames are scored; None: all. The others are input alone.
    """

    joints: Float[Tensor, "frames 17 3"]
    screen: Float[Tensor, "frames 17 channels"]
    cameras: Camera
    lengths: Int[Tensor, " views"]
    fps: float
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    actions: tuple[str, ...]
    unmeasured_joints: tuple[str, ...] = ()
    eval_mask: Bool[Tensor, " frames"] | None = None

    def __post_init__(self) -> None:
        assert len(self.joints) == len(self.screen) == int(self.lengths.sum())
        assert self.eval_mask is None or len(self.eval_mask) == len(self.joints)
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

    def scored_frames(self) -> Bool[Tensor, " frames"]:
        """Whether each frame is scored."""
        if self.eval_mask is not None:
            return self.eval_mask
        return torch.ones(len(self.joints), dtype=torch.bool, device=self.joints.device)

    def camera_of_frames(self) -> Camera:
        """The camera of every frame, a batch of shape [frames]."""
        views = torch.arange(len(self), device=self.lengths.device)
        return self.cameras[views.repeat_interleave(self.lengths)]

    def rays(self) -> Float[Tensor, "frames 17 3"]:
        """The 2D input as networks on rays take it: x / z, y / z, and whether each joint was seen."""
        cameras = self.camera_of_frames()
        rays = cameras.image_to_rays(cameras.screen_to_image(self.screen[..., :2]))
        seen = self.screen[..., 2:] if self.screen.shape[-1] == 3 else torch.ones_like(rays[..., :1])
        return torch.cat((rays, seen), dim=-1)

    def picture(self) -> Float[Tensor, "frames 17 2"]:
        """The 2D input as VideoPose3D's own weights take it: 0 in the middle of the image, 2 its width."""
        cameras = self.camera_of_frames()
        middle = cameras.image_size / 2
        return (cameras.screen_to_image(self.screen[..., :2]) - middle[:, None]) / middle[:, None, :1]

    def to(self, device: torch.device) -> PoseDataset:
        """The same views on another device."""
        return replace(
            self,
            joints=self.joints.to(device),
            screen=self.screen.to(device),
            cameras=self.cameras.to(device),
            lengths=self.lengths.to(device),
            eval_mask=None if self.eval_mask is None else self.eval_mask.to(device),
        )

    def select(self, views: Sequence[int]) -> PoseDataset:
        """Some of the views, in the given order."""
        places = [self.frames_of(view) for view in views]
        frames = torch.cat([torch.arange(place.start, place.stop) for place in places])
        index = torch.tensor(views)
        return replace(
            self,
            joints=self.joints[frames],
            screen=self.screen[frames],
            cameras=self.cameras[index],
            lengths=self.lengths[index],
            names=tuple(self.names[view] for view in views),
            subjects=tuple(self.subjects[view] for view in views),
            actions=tuple(self.actions[view] for view in views),
            eval_mask=None if self.eval_mask is None else self.eval_mask[frames],
        )

    def __add__(self, other: PoseDataset) -> PoseDataset:
        """These views and then others, of the same frame rate and joints."""
        assert (self.fps, self.unmeasured_joints) == (other.fps, other.unmeasured_joints)
        all_scored = self.eval_mask is None and other.eval_mask is None
        return replace(
            self,
            joints=torch.cat((self.joints, other.joints)),
            screen=torch.cat((self.screen, other.screen)),
            cameras=concatenate_cameras((self.cameras, other.cameras)),
            lengths=torch.cat((self.lengths, other.lengths)),
            names=self.names + other.names,
            subjects=self.subjects + other.subjects,
            actions=self.actions + other.actions,
            eval_mask=None if all_scored else torch.cat((self.scored_frames(), other.scored_frames())),
        )

    def with_labels(self, share: float) -> tuple[PoseDataset, PoseDataset | None]:
        """The views of a share of the recordings, and those of the others, their joints blotted out (NaN).

        A recording is a clip with all its pieces (``name#1``, ``name@250``) and cameras. Recordings are
        taken in an order that is random and always the same, so that a larger share holds a smaller one; at
        least one keeps its labels.
        """
        if share == 1:
            return self, None
        recording = [re.split("[#@]", name)[0] for name in self.names]
        names = list(dict.fromkeys(recording))
        order = torch.randperm(len(names), generator=torch.Generator().manual_seed(0)).tolist()
        kept = {names[number] for number in order[: max(1, round(share * len(names)))]}
        numbers = range(len(self))
        labelled = self.select([view for view in numbers if recording[view] in kept])
        rest = [view for view in numbers if recording[view] not in kept]
        if not rest:
            return labelled, None
        others = self.select(rest)
        return labelled, replace(
            others, joints=torch.full_like(others.joints, torch.nan), unmeasured_joints=()
        )


def project_clips(
    clips: Sequence[tuple[MotionClip, Camera]], *, noise: DetectorNoise | None = None, seed: int = 0
) -> PoseDataset:
    """Let cameras look at clips: every camera of the batch that comes with a clip gives a view.

    Args:
        clips: each clip with its cameras (a batch of shape [cameras]).
        noise: how a detector errs; without it, the 2D input is the exact projection.
        seed: of the noise.

    Raises:
        InputError: there is no clip, frame rates differ, a clip lacks joints, or a person comes within
            0.3 m of an image plane.
    """
    for clip, _ in clips:
        if clip.unmeasured_joints:
            raise InputError(
                f"clip {clip.name!r} lacks joints: {', '.join(clip.unmeasured_joints)} were not captured"
            )
    takes = [
        Take(clip.name, clip.subject, clip.action, clip.fps, cameras, clip.joints) for clip, cameras in clips
    ]
    return project_takes(takes, noise=noise, seed=seed)


def project_takes(
    takes: Sequence[Take], *, detector: str | None = None, noise: DetectorNoise | None = None, seed: int = 0
) -> PoseDataset:
    """The views of takes: one for every camera.

    Args:
        takes: performances with their cameras. Where the 3D is not known, the views' joints are NaN.
        detector: whose 2D joints are the input; if None, the 3D joints are projected.
        noise: how a detector errs on projections.
        seed: of the noise.

    Raises:
        InputError: there is no take, frame rates, lens models or unmeasured joints differ, a take lacks the
            2D joints of the detector or, without one, 3D joints to project, or a person comes within 0.3 m of
            an image plane.
    """
    _check_alike(takes)
    _check_input(takes, detector)
    generator = torch.Generator().manual_seed(seed)
    joints, screen = [], []
    for take in takes:
        for number in range(len(take.cameras.focal)):
            camera = take.cameras[number]
            joints.append(_camera_frame(take, camera))
            if detector is not None:
                pixels = take.detections[detector][number]
            else:
                pixels = camera.camera_to_image(joints[-1])
                if noise is not None:
                    pixels = detect(pixels, noise, fps=take.fps, generator=generator)
            screen.append(camera.image_to_screen(pixels))
    seen = [take for take in takes for _ in range(len(take.cameras.focal))]
    return PoseDataset(
        joints=torch.cat(joints),
        screen=torch.cat(screen),
        cameras=concatenate_cameras([take.cameras for take in takes]),
        lengths=torch.tensor([len(take) for take in seen]),
        fps=seen[0].fps,
        names=tuple(take.name for take in seen),
        subjects=tuple(take.subject for take in seen),
        actions=tuple(take.action for take in seen),
        unmeasured_joints=next((take.unmeasured_joints for take in takes if take.joints is not None), ()),
        eval_mask=_eval_mask(seen),
    )


def _eval_mask(seen: Sequence[Take]) -> Bool[Tensor, " frames"] | None:
    if all(take.eval_mask is None for take in seen):
        return None
    every = [
        torch.ones(len(take), dtype=torch.bool) if take.eval_mask is None else take.eval_mask for take in seen
    ]
    return torch.cat(every)


def _check_alike(takes: Sequence[Take]) -> None:
    if len({take.fps for take in takes}) != 1:
        raise InputError(f"views need clips of one frame rate, got {sorted({take.fps for take in takes})}")
    if len({take.cameras.convention for take in takes}) != 1:
        raise InputError("views need cameras of one lens model")
    if len({take.unmeasured_joints for take in takes if take.joints is not None}) > 1:
        raise InputError("views need takes that lack the same joints")


def _check_input(takes: Sequence[Take], detector: str | None) -> None:
    for take in takes:
        if detector is None and take.joints is None:
            raise InputError(f"take {take.name!r} has no 3D joints to project; name a detector")
        if detector is not None and detector not in take.detections:
            raise InputError(f"take {take.name!r} has no 2D joints by {detector!r}")


def _camera_frame(take: Take, camera: Camera) -> Float[Tensor, "frames 17 3"]:
    if take.joints is None:
        return torch.full((len(take), 17, 3), torch.nan)
    joints = camera.world_to_camera(take.joints)
    if bool((joints[..., 2] < 0.3).any()):
        raise InputError(f"clip {take.name!r} comes within 0.3 m of a camera's image plane")
    return joints
