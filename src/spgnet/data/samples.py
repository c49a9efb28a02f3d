"""Training samples: short sequences of output frames with the 2D input around them, in batches.

They are windows of a dataset, or windows of motion under domain randomisation. The latter are changed at
random (speed, body, mirror image, upper body of another clip), projected into a random camera, and converted
to rays with the errors and gaps of a simulated detector, in this order, on the training device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spgnet.data.dataset import PoseDataset
from spgnet.data.input_space import project_to_input_space
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.interpolate import interpolate_frames
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import InputSpace
from spgnet.synthetic.detector_joints import detector_joints
from spgnet.synthetic.domain_randomization import (
    DomainRandomization,
    change_body,
    place_random_cameras,
    simulate_detector,
    swap_upper_body,
    tip_people,
    uniform,
)


@dataclass(frozen=True)
class Batch:
    """Samples of consecutive output frames, with the input frames around them.

    Args:
        keypoints_2d: 2D input of the output frames and of their context, as the network takes it; a window is
            before + frames + after long, with the network's ``context`` of (before, after).
        target_2d: the 2D pose of the output frames, the target of re-projection: their part of the input
            or the exact one, as always of randomized samples.
        joints: true joints at the output frames, metres, camera frame.
        cameras: the camera of each sample, shape [batch]; None for rays, which need none.
        input_space: the coordinates of ``keypoints_2d`` and ``target_2d``.
    """

    keypoints_2d: Float[Tensor, "batch window 17 channels"]
    target_2d: Float[Tensor, "batch frames 17 2"]
    joints: Float[Tensor, "batch frames 17 3"]
    cameras: Camera | None
    input_space: InputSpace = "screen"

    @property
    def root(self) -> Float[Tensor, "batch frames 1 3"]:
        """The true trajectory."""
        return self.joints[:, :, :1]

    @property
    def pose(self) -> Float[Tensor, "batch frames 17 3"]:
        """The true pose, relative to its root."""
        return self.joints - self.root

    def part(self, number: int, parts: int) -> Batch:
        """One of several equal parts of the batch: the samples number, number + parts, ..."""
        return replace(
            self,
            keypoints_2d=self.keypoints_2d[number::parts],
            target_2d=self.target_2d[number::parts],
            joints=self.joints[number::parts],
            cameras=None if self.cameras is None else self.cameras[number::parts],
        )


@runtime_checkable
class Sampler(Protocol):
    """Draws batches of training samples, with random changes from PyTorch's global generator."""

    def __len__(self) -> int:
        """The number of indices that samples can be drawn at."""
        ...

    def draw(self, indices: Int[Tensor, " batch"]) -> Batch:
        """A batch of samples.

        Args:
            indices: one index below ``len(self)`` for every sample. A sampler that draws at random uses only
                their number.
        """
        ...


class WindowSampler:
    """Draws windows of a dataset, on its device.

    Args:
        dataset: what to draw from.
        frames_per_sample: consecutive output frames of a sample, all of which are evaluated frames.
        context: input frames before the first and after the last output frame. Where a window reaches
            over the end of its sequence, the sequence's first or last frame is repeated.
        input_space: coordinates of the 2D input.
        with_confidence: give the detector's confidence as a last channel of the input.
        flip: mirror a random half of the samples left to right.
        mirrored_copies: have every window twice among the indices, as it is and mirrored, instead.
        exact_target: the 2D target is the projection of the true pose, and not the 2D input.

    Raises:
        InputError: no sequence has as many evaluated frames in a row as a sample needs, there is no
            confidence, or the input space is ``"image"``, in which a camera's mirror image is not known.
    """

    def __init__(
        self,
        dataset: PoseDataset,
        *,
        frames_per_sample: int,
        context: tuple[int, int],
        input_space: InputSpace = "screen",
        with_confidence: bool = False,
        flip: bool = True,
        mirrored_copies: bool = False,
        exact_target: bool = False,
    ) -> None:
        if input_space == "image":
            raise InputError("networks that take VideoPose3D's image coordinates cannot be trained here")
        self.frames_per_sample, self.context = frames_per_sample, context
        self.input_space: InputSpace = input_space
        self.flip, self.mirrored_copies = flip, mirrored_copies
        self.keypoints_2d = dataset.inputs(input_space, with_confidence=with_confidence)
        self.joints = dataset.joints
        self.cameras, self.sequence = dataset.cameras, dataset.sequence_of_frames()
        self.target_2d = self.keypoints_2d[..., :2]
        if exact_target:
            cameras = self.cameras[self.sequence]
            self.target_2d = project_to_input_space(self.joints, cameras, input_space)
        self.first = dataset.starts[self.sequence]
        self.last = (dataset.starts + dataset.lengths - 1)[self.sequence]
        frame = torch.arange(len(self.sequence), device=self.sequence.device)
        complete = frame + frames_per_sample - 1 <= self.last
        if dataset.eval_mask is not None:
            excluded_before = torch.cat((frame.new_zeros(1), (~dataset.eval_mask).cumsum(0)))
            complete &= (
                excluded_before[(frame + frames_per_sample).clamp(max=len(frame))] == excluded_before[:-1]
            )
        self.starts = frame[complete]
        if not len(self.starts):
            raise InputError(
                f"too few frames: a sample needs {frames_per_sample} in a row, "
                f"the longest clip has {int(dataset.lengths.max())}"
            )

    def __len__(self) -> int:
        """The number of windows, of which the second half are mirrored if there are mirrored copies."""
        return len(self.starts) * (2 if self.mirrored_copies else 1)

    def draw(self, indices: Int[Tensor, " batch"]) -> Batch:
        """The windows of the given indices, mirrored at random unless these say what is mirrored."""
        indices = indices.to(self.starts.device)
        if self.mirrored_copies:
            return self.gather(indices % len(self.starts), indices >= len(self.starts))
        return self.gather(indices, self._random_flip(len(indices)))

    def draw_random(self, count: int) -> Batch:
        """A number of windows drawn at random, mirrored at random."""
        flip = self._random_flip(count)
        return self.gather(torch.randint(len(self.starts), (count,)).to(self.starts.device), flip)

    def _random_flip(self, count: int) -> Bool[Tensor, " batch"]:
        return (torch.rand(count) < (0.5 if self.flip else 0)).to(self.starts.device)

    def gather(self, indices: Int[Tensor, " batch"], flip: Bool[Tensor, " batch"]) -> Batch:
        """The windows of the given indices, mirrored left to right where ``flip`` is true."""
        start = self.starts[indices]
        before, after = self.context
        offsets = torch.arange(-before, self.frames_per_sample + after, device=start.device)
        first, last = self.first[start].unsqueeze(1), self.last[start].unsqueeze(1)
        frames = (start.unsqueeze(1) + offsets).clamp(first, last)
        output = slice(before, before + self.frames_per_sample)
        keypoints_2d = _mirror_where(flip, self.keypoints_2d[frames])
        return Batch(
            keypoints_2d=keypoints_2d,
            target_2d=_mirror_where(flip, self.target_2d[frames[:, output]]),
            joints=_mirror_where(flip, self.joints[frames[:, output]]),
            cameras=self.cameras[self.sequence[start]].flipped_where(flip),
            input_space=self.input_space,
        )


def _mirror_where(flip: Bool[Tensor, " b"], joints: Float[Tensor, "b t 17 d"]) -> Float[Tensor, "b t 17 d"]:
    return torch.where(flip[:, None, None, None], HUMAN36M.flip(joints), joints)


class RandomizedSampler:
    """Draws randomized samples from clips, on the device of its tensors.

    All randomness is PyTorch's global generator's.

    Args:
        clips: motion in the world, of one frame rate.
        frames_per_sample: consecutive output frames of a sample.
        context: input frames before the first and after the last output frame.
        randomization: how far samples are changed.
        flip: mirror a random half of the samples.
        clip_weights: how often samples are drawn from each clip, relative to the others; by default as often
            as it has frames. The frames of a clip are drawn equally often.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        *,
        frames_per_sample: int,
        context: tuple[int, int],
        randomization: DomainRandomization | None = None,
        flip: bool = True,
        clip_weights: Sequence[float] | None = None,
    ) -> None:
        self.fps = clips[0].fps
        assert all(clip.fps == self.fps for clip in clips)
        self.frames_per_sample, self.context, self.flip = frames_per_sample, context, flip
        self.randomization = randomization or DomainRandomization()
        self.joints = torch.cat([clip.joints for clip in clips])
        lengths = torch.tensor([len(clip) for clip in clips])
        ends = lengths.cumsum(0)
        self.first = (ends - lengths).repeat_interleave(lengths)
        self.last = (ends - 1).repeat_interleave(lengths)
        self.cumulative: Tensor | None = None
        if clip_weights is not None:
            weights = torch.tensor(clip_weights, dtype=torch.float64) / lengths
            cumulative = weights.repeat_interleave(lengths).cumsum(0)
            self.cumulative = cumulative / cumulative[-1]

    def __len__(self) -> int:
        """The number of frames that a sample's middle can be."""
        return len(self.joints)

    def to(self, device: torch.device) -> RandomizedSampler:
        """Move the motion to a device."""
        self.joints, self.first, self.last = (x.to(device) for x in (self.joints, self.first, self.last))
        if self.cumulative is not None:
            self.cumulative = self.cumulative.to(device)
        return self

    def draw(self, indices: Int[Tensor, " batch"]) -> Batch:
        """As many random samples as there are indices."""
        return self.draw_random(len(indices))

    def draw_random(self, count: int) -> Batch:
        """A number of random samples.

        The input is rays with the errors of a simulated detector, with gaps filled; the target is the exact
        rays of the output frames.
        """
        config = self.randomization
        fps = uniform(*config.fps, device=self.joints.device).item()
        world = self._motion(count, fps)
        joints, half_image = place_random_cameras(world, config)
        exact = project_to_input_space(joints, None, "rays")
        shifted = detector_joints(
            joints,
            config.offset,
            hip_spread=config.hip_offset,
            head_spread=config.head_offset,
            hip_widening=config.hip_widening,
        )
        shifted_rays = shifted[..., :2] / shifted[..., 2:].clamp_min(0.1)
        rays, visible = simulate_detector(shifted_rays, half_image, fps, config, joints[..., 2])
        output = slice(self.context[0], self.context[0] + self.frames_per_sample)
        inputs = torch.cat((rays, visible.unsqueeze(-1).float()), dim=-1)
        return Batch(inputs, exact[:, output], joints[:, output], None, "rays")

    def _motion(self, count: int, fps: float) -> Float[Tensor, "batch window 17 3"]:
        """Windows of changed motion in the world; people are at its origin in the middle of the window."""
        config, device = self.randomization, self.joints.device
        frames = sum(self.context) + self.frames_per_sample
        offsets = (torch.arange(frames, device=device) - frames // 2) * (self.fps / fps)
        speed = uniform(*config.speed, count, 1, device=device)

        def windows(middle: Tensor, speed: Tensor) -> Tensor:
            first, last = self.first[middle, None], self.last[middle, None]
            start, end = first - middle[:, None], last - middle[:, None]
            time = torch.minimum(torch.maximum(offsets * speed, start), end)
            return interpolate_frames(self.joints, time, first=middle[:, None])

        joints = windows(self._random_frames(count), speed)
        swapped = torch.rand(count, device=device) < config.swapped_upper_bodies
        others = self._random_frames(count)
        joints[swapped] = swap_upper_body(joints[swapped], windows(others[swapped], speed[swapped]))
        if self.flip:
            mirrored = torch.rand(count, device=device) < 0.5
            joints[mirrored] = HUMAN36M.flip(joints[mirrored])
        joints = joints - joints[:, frames // 2, None, :1] * joints.new_tensor([1, 1, 0])
        joints = change_body(joints, config)
        return tip_people(joints, config.tipped) if config.tipped else joints

    def _random_frames(self, count: int) -> Int[Tensor, " batch"]:
        if self.cumulative is None:
            return torch.randint(len(self.joints), (count,), device=self.joints.device)
        drawn = torch.rand(count, dtype=torch.float64, device=self.joints.device)
        return torch.searchsorted(self.cumulative, drawn).clamp_max(len(self.joints) - 1)


def randomized_dataset(
    clips: Sequence[MotionClip],
    *,
    seed: int,
    count: int = 300,
    frames: int = 100,
    action: str = "anything",
    randomization: DomainRandomization | None = None,
    clip_weights: Sequence[float] | None = None,
) -> PoseDataset:
    """A fixed set of samples, each a sequence of its own, to validate on; at the frame rate of the clips.

    Its cameras have a focal length of 1000 px, to which its re-projection error refers.

    Args:
        clips: motion in the world, of one frame rate.
        seed: of all randomness.
        count: number of sequences, a multiple of 10.
        frames: length of each.
        action: of all sequences.
        randomization: how far samples are changed; by default as ``DomainRandomization()`` says.
        clip_weights: how often samples are drawn from each clip.
    """
    assert count % 10 == 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        randomization = replace(randomization or DomainRandomization(), fps=(clips[0].fps, clips[0].fps))
        sampler = RandomizedSampler(
            clips,
            frames_per_sample=frames,
            context=(0, 0),
            randomization=randomization,
            flip=False,
            clip_weights=clip_weights,
        )
        batches = [sampler.draw_random(10) for _ in range(count // 10)]
    inputs = torch.cat([batch.keypoints_2d for batch in batches]).flatten(0, 1)
    return PoseDataset(
        joints=torch.cat([batch.joints for batch in batches]).flatten(0, 1),
        keypoints_2d=_FOCAL * (inputs[..., :2] + 1),
        cameras=_dataset_cameras(count),
        lengths=torch.full((count,), frames),
        fps=clips[0].fps,
        names=tuple(f"randomized-{number}" for number in range(count)),
        subjects=("anybody",) * count,
        actions=(action,) * count,
        visible=inputs[..., 2].bool(),
    )


_FOCAL = 1000.0


def _dataset_cameras(count: int) -> Camera:
    """Cameras without distortion whose image is twice as wide as their focal length."""
    focal, zeros = torch.full((count, 2), _FOCAL), torch.zeros(count, 3)
    return Camera(
        focal=focal,
        center=focal,
        radial=zeros,
        tangential=zeros[:, :2],
        rotation=torch.eye(3).expand(count, 3, 3),
        position=zeros,
        image_size=2 * focal,
        convention="opencv",
        extrinsics="arbitrary",
    )
