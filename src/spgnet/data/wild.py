"""Training samples for any camera: random people, cameras, frame rates and detectors, drawn on the fly.

A sample is a window of real or generated motion, changed at random (speed, body, mirror image, the upper
body of somebody else), seen from a random place and turned into rays with the errors and the gaps of a
detector. All of it happens in a few batched tensor operations on the training device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.data.detector_joints import detector_joints
from spgnet.data.noise import DetectorNoise, bursts, detect, interpolated
from spgnet.data.views import Views
from spgnet.data.wild_cameras import film_from_anywhere, ray_cameras
from spgnet.data.wildness import Wildness, uniform
from spgnet.data.windows import Batch
from spgnet.motion import MotionClip
from spgnet.skeleton import HUMAN36M, TRUNK

_NAMES = HUMAN36M.names
_LEGS = [HUMAN36M.bone_names.index(f"right_{joint}") for joint in ("knee", "ankle")]
BODY = {
    "hip": 0.090,
    "knee": 0.420,
    "ankle": 0.412,
    "spine": 0.258,
    "thorax": 0.248,
    "nose": 0.145,
    "head_top": 0.150,
    "shoulder": 0.185,
    "elbow": 0.287,
    "wrist": 0.265,
}
"""Bones of a person 1.75 m tall, in metres, by the joint at their far end: joint centres, as captured people
have them. The captures themselves differ too much in what they call a hip or a shoulder (the generated
motion's hips are Human3.6M's, 0.26 m apart) to learn from one what another lacks."""
_DERIVED = {
    _NAMES.index(middle): [_NAMES.index(f"{side}_{end}") for side in ("left", "right")]
    for middle, end in (("pelvis", "hip"), ("thorax", "shoulder"))
}
_UPPER = tuple(range(_NAMES.index("spine"), len(_NAMES)))
_LIMBS = tuple(
    tuple(_NAMES.index(f"{side}_{j}") for j in pair)
    for side, pair in (
        ("right", ("knee", "ankle")),
        ("left", ("knee", "ankle")),
        ("left", ("elbow", "wrist")),
        ("right", ("elbow", "wrist")),
    )
)


class WildSampler:
    """Draws samples from clips, on the device of its tensors; randomness is PyTorch's global generator's.

    Args:
        clips: motion in the world, of one frame rate.
        run: consecutive output frames per sample.
        context: input frames before the first and after the last output frame.
        wildness: how far samples are changed.
        flip: mirror a random half of the samples.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        *,
        run: int,
        context: tuple[int, int],
        wildness: Wildness | None = None,
        flip: bool = True,
    ) -> None:
        self.fps = clips[0].fps
        assert all(clip.fps == self.fps for clip in clips)
        self.run, self.context, self.flip = run, context, flip
        self.wildness = wildness or Wildness()
        self.joints = torch.cat([clip.joints for clip in clips])
        lengths = torch.tensor([len(clip) for clip in clips])
        ends = lengths.cumsum(0)
        self.first = (ends - lengths).repeat_interleave(lengths)
        self.last = (ends - 1).repeat_interleave(lengths)

    def __len__(self) -> int:
        """The number of frames that a sample's middle can be."""
        return len(self.joints)

    def to(self, device: torch.device) -> WildSampler:
        """Move the motion to a device."""
        self.joints, self.first, self.last = (x.to(device) for x in (self.joints, self.first, self.last))
        return self

    def draw(self, count: int) -> Batch:
        """A number of samples.

        The batch's ``screen`` holds rays and whether each joint was seen, its ``seen`` the exact rays of
        the output frames (what re-projection should meet), and its cameras are of focal length 1.
        """
        wild = self.wildness
        fps = uniform(*wild.fps, device=self.joints.device).item()
        world = self._motion(count, fps)
        joints, half = film_from_anywhere(world, wild)
        exact = joints[..., :2] / joints[..., 2:]
        marked = detector_joints(joints, wild.offset)
        rays, seen = detected(marked[..., :2] / marked[..., 2:].clamp_min(0.1), half, fps, wild)
        middle = slice(self.context[0], self.context[0] + self.run)
        screen = torch.cat((rays, seen.unsqueeze(-1).float()), dim=-1)
        return Batch(screen, exact[:, middle], joints[:, middle], ray_cameras(count, exact))

    def _motion(self, count: int, fps: float) -> Float[Tensor, "batch window 17 3"]:
        """Windows of changed motion in the world; people are at its origin in the middle of the window."""
        wild, device = self.wildness, self.joints.device
        frames = sum(self.context) + self.run
        offsets = (torch.arange(frames, device=device) - frames // 2) * (self.fps / fps)
        speed = uniform(*wild.speed, count, 1, device=device)

        def windows() -> Tensor:
            middle = torch.randint(len(self.joints), (count,), device=device)
            first, last = self.first[middle, None], self.last[middle, None]
            start, end = first - middle[:, None], last - middle[:, None]
            time = torch.minimum(torch.maximum(offsets * speed, start), end)
            before = time.floor().long()
            after = torch.minimum(before + 1, end)
            earlier, later = (self.joints[middle[:, None] + index] for index in (before, after))
            return earlier.lerp(later, (time - before)[..., None, None])

        joints = windows()
        mixed = torch.rand(count, device=device) < wild.mixed
        joints = torch.where(mixed[:, None, None, None], with_upper_body(joints, windows()), joints)
        if self.flip:
            mirrored = torch.rand(count, device=device) < 0.5
            joints = torch.where(mirrored[:, None, None, None], HUMAN36M.flip(joints), joints)
        joints = joints - joints[:, frames // 2, None, :1] * joints.new_tensor([1, 1, 0])
        return with_body(joints, wild)


def wild_views(clips: Sequence[MotionClip], *, seed: int, count: int = 300, frames: int = 100) -> Views:
    """A fixed set of samples, each a view of its own, to validate on; at the frame rate of the clips.

    Args:
        clips: motion in the world, of one frame rate.
        seed: of all randomness.
        count: number of views.
        frames: length of each.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        wildness = Wildness(fps=(clips[0].fps, clips[0].fps))
        sampler = WildSampler(clips, run=frames, context=(0, 0), wildness=wildness, flip=False)
        batches = [sampler.draw(10) for _ in range(count // 10)]
    count = 10 * len(batches)
    joints = torch.cat([batch.joints for batch in batches])
    return Views(
        joints=joints.flatten(0, 1),
        screen=torch.cat([batch.screen for batch in batches]).flatten(0, 1),
        cameras=ray_cameras(count, joints),
        lengths=torch.full((count,), frames),
        fps=clips[0].fps,
        names=tuple(f"wild-{number}" for number in range(count)),
        subjects=("anybody",) * count,
        actions=("anything",) * count,
    )


def with_upper_body(
    lower: Float[Tensor, "batch frames 17 3"], upper: Float[Tensor, "batch frames 17 3"]
) -> Float[Tensor, "batch frames 17 3"]:
    """One person's legs and path with another's upper body, turned by the difference of their headings."""
    right = [pose[..., 1, :2] - pose[..., 4, :2] for pose in (lower, upper)]
    angle = torch.atan2(right[0][..., 1], right[0][..., 0]) - torch.atan2(right[1][..., 1], right[1][..., 0])
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    x, y, z = (upper[..., _UPPER, :] - upper[..., :1, :]).unbind(dim=-1)
    turned = torch.stack((cos * x - sin * y, sin * x + cos * y, z), dim=-1)
    return torch.cat((lower[..., : _UPPER[0], :], lower[..., :1, :] + turned), dim=-2)


def with_body(
    joints: Float[Tensor, "batch frames 17 3"], wild: Wildness
) -> Float[Tensor, "batch frames 17 3"]:
    """The same movements of a random body, whoever was captured; the path is scaled with the legs."""
    count, device = len(joints), joints.device
    mean, deviation = wild.stature
    stature = (mean + deviation * torch.randn(count, 1, device=device)).clamp_min(0.5 * mean)
    spread = (torch.randn(count, len(HUMAN36M), device=device) * wild.bone_spread).exp().clamp(0.75, 1.3)
    spread = spread[:, [min(child, HUMAN36M.mirror[child]) for _, child in HUMAN36M.bones]]
    usual = [BODY[HUMAN36M.kinds[child]] for _, child in HUMAN36M.bones]
    lengths = (torch.tensor(usual, device=device) * stature * spread)[:, None]
    before = HUMAN36M.bone_lengths(joints[:, :1])
    legs = lengths[..., _LEGS].sum(dim=-1) / before[..., _LEGS].sum(dim=-1)
    scaled = joints + joints[:, :, :1] * (legs[..., None, None] - 1)
    return HUMAN36M.with_bone_lengths(scaled, lengths)


def detected(
    exact: Float[Tensor, "batch frames 17 2"], half: Float[Tensor, "batch 2"], fps: float, wild: Wildness
) -> tuple[Float[Tensor, "batch frames 17 2"], Bool[Tensor, "batch frames 17"]]:
    """Rays as a detector gives them, gaps filled, and which joints it saw."""
    generator = torch.default_generator if exact.device.type == "cpu" else _device_generator(exact.device)
    noise = replace(DetectorNoise(), bias=wild.bias, dropout_fraction=0.0)
    scale = uniform(*wild.noise, len(exact), device=exact.device)
    rays = detect(exact, noise, fps=fps, generator=generator, scale=scale)
    missing = _gaps(exact.shape[:3], fps, wild, generator) | ((exact.abs() > half[:, None, None]).any(dim=-1))
    derived = torch.rand(len(exact), 1, device=exact.device) < wild.derived
    for joint, sides in _DERIVED.items():
        middle, lost = rays[:, :, sides].mean(dim=2), missing[:, :, sides].any(dim=2)
        rays[:, :, joint] = torch.where(derived[..., None], middle, rays[:, :, joint])
        missing[:, :, joint] = torch.where(derived, lost, missing[:, :, joint])
    missing &= ~missing.flatten(1).all(dim=1)[:, None, None]
    never = missing.all(dim=1, keepdim=True)
    rays = interpolated(rays, missing)
    known = (~never).float()[..., None]
    trunk = known * torch.zeros_like(known).index_fill(2, torch.tensor(TRUNK, device=exact.device), 1.0)
    weight = torch.where(trunk.sum(dim=2, keepdim=True) > 0, trunk, known)
    middle = (rays * weight).sum(dim=2, keepdim=True) / weight.sum(dim=2, keepdim=True)
    return torch.where(never[..., None], middle, rays), ~missing


def _device_generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(int(torch.randint(2**31, ())))


def _gaps(
    shape: Sequence[int], fps: float, wild: Wildness, generator: torch.Generator
) -> Bool[Tensor, "batch frames 17"]:
    """Joints that are not seen: far halves of limbs, heads, faces, and frames without anybody or a look."""
    count, frames, joints = shape
    device = generator.device
    missing = torch.zeros(count, frames, joints, dtype=torch.bool, device=device)
    limbs, _ = bursts((count, frames, len(_LIMBS)), wild.limb_gaps, 0.5 * fps, generator)
    both = torch.rand(count, 1, len(_LIMBS), device=device) < 0.5
    for limb, (middle, end) in enumerate(_LIMBS):
        missing[..., end] |= limbs[..., limb]
        missing[..., middle] |= (limbs & both)[..., limb]
    nobody, _ = bursts((count, frames, 1), wild.frame_gaps, 0.2 * fps, generator)
    every = torch.randint(2, 6, (count, 1), device=device)
    looked = (torch.arange(frames, device=device) + torch.randint(60, (count, 1), device=device)) % every == 0
    sparse = torch.rand(count, 1, device=device) < wild.sparse
    missing |= nobody | (sparse & ~looked)[..., None]
    for joint, share in (("head_top", wild.headless), ("nose", wild.faceless)):
        missing[..., _NAMES.index(joint)] |= torch.rand(count, 1, device=device) < share
    return missing
