"""Training samples for any camera: random people, cameras, frame rates and detectors, drawn on the fly.

A sample is a window of real or generated motion, changed at random (speed, body, mirror image, the upper
body of somebody else), seen from a random place and turned into rays with the errors and the gaps of a
detector. All of it happens in a few batched tensor operations on the training device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.camera import Camera
from spgnet.data.noise import DetectorNoise, bursts, detect, interpolated
from spgnet.data.views import Views
from spgnet.data.windows import Batch
from spgnet.motion import MotionClip
from spgnet.rigs import look_at
from spgnet.skeleton import HUMAN36M

_NAMES = HUMAN36M.names
_UPPER = tuple(range(_NAMES.index("spine"), len(_NAMES)))
_TRUNK = tuple(map(_NAMES.index, ("right_hip", "left_hip", "left_shoulder", "right_shoulder")))
_LIMBS = tuple(
    tuple(_NAMES.index(f"{side}_{j}") for j in pair)
    for side, pair in (
        ("right", ("knee", "ankle")),
        ("left", ("knee", "ankle")),
        ("left", ("elbow", "wrist")),
        ("right", ("elbow", "wrist")),
    )
)


@dataclass(frozen=True)
class Wildness:
    """How far samples are changed; ranges are drawn from evenly, and shares are of the samples.

    Args:
        fps: frame rates, drawn once a batch.
        speed: playing speed, by a factor.
        stature: size of the body, by a factor.
        bone_spread: standard deviation of the logarithm of single bones' lengths; left and right alike.
        mixed: share of samples with the upper body of another sample.
        distance: of the camera from the person, in metres (evenly in its logarithm).
        height: of the camera above the floor, in metres.
        focal: focal length in image widths; raised where the person would not fill a tenth of the image,
            lowered where 2.2 m at the person's distance would not fit across it. Landscape images are lower
            than that, so that some of them cut off feet.
        roll: standard deviation of the camera's roll, in degrees.
        truncated: share of samples whose image is narrower than that, down to two fifths.
        bias: standard deviation of a joint's constant detection error, in units of ``person_size``; it
            stands for what detectors call a joint and motion capture does not, too.
        noise: range of a factor of the detector's other errors, drawn once a batch.
        headless: share of samples without ``head_top``, as in keypoint sets that lack it.
        limb_gaps: share of a limb's frames in which its far half is not seen.
        frame_gaps: share of frames in which nobody is seen.
        sparse: share of samples in which only every second to fifth frame is looked at.
    """

    fps: tuple[float, float] = (24.0, 60.0)
    speed: tuple[float, float] = (0.8, 1.25)
    stature: tuple[float, float] = (0.85, 1.12)
    bone_spread: float = 0.06
    mixed: float = 0.2
    distance: tuple[float, float] = (1.5, 12.0)
    height: tuple[float, float] = (0.2, 3.0)
    focal: tuple[float, float] = (0.5, 3.0)
    roll: float = 4.0
    truncated: float = 0.1
    bias: float = 0.012
    noise: tuple[float, float] = (0.3, 1.5)
    headless: float = 0.3
    limb_gaps: float = 0.05
    frame_gaps: float = 0.01
    sparse: float = 0.15


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
        rays, seen = detected(exact, half, fps, wild)
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
            time = torch.minimum(torch.maximum(middle[:, None] + offsets * speed, first), last)
            before = time.floor().long()
            after = torch.minimum(before + 1, last)
            return self.joints[before].lerp(self.joints[after], (time - before)[..., None, None])

        joints = windows()
        mixed = torch.rand(count, device=device) < wild.mixed
        joints = torch.where(mixed[:, None, None, None], with_upper_body(joints, windows()), joints)
        if self.flip:
            mirrored = torch.rand(count, device=device) < 0.5
            joints = torch.where(mirrored[:, None, None, None], HUMAN36M.flip(joints), joints)
        joints = joints - joints[:, frames // 2, None, :1] * joints.new_tensor([1, 1, 0])
        return with_body(joints, wild)


def wild_views(clips: Sequence[MotionClip], *, seed: int, count: int = 300, frames: int = 100) -> Views:
    """A fixed set of samples, each a view of its own, to validate on.

    Args:
        clips: motion in the world, of one frame rate.
        seed: of all randomness.
        count: number of views.
        frames: length of each.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sampler = WildSampler(clips, run=frames, context=(0, 0), flip=False)
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


def uniform(low: float, high: float, *shape: int, device: torch.device) -> Tensor:
    """Evenly distributed numbers."""
    return low + (high - low) * torch.rand(shape, device=device)


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
    """The same movements of a random body; the path is scaled with it."""
    count, device = len(joints), joints.device
    stature = uniform(*wild.stature, count, 1, device=device)
    bones = (torch.randn(count, len(HUMAN36M), device=device) * wild.bone_spread).exp().clamp(0.75, 1.3)
    bones = bones[:, [min(child, HUMAN36M.mirror[child]) for _, child in HUMAN36M.bones]] * stature
    lengths = HUMAN36M.bone_lengths(joints)
    joints = HUMAN36M.with_bone_lengths(joints, lengths * bones[:, None])
    return joints + joints[:, :, :1] * (stature[..., None, None] - 1)


def film_from_anywhere(
    world: Float[Tensor, "batch frames 17 3"], wild: Wildness
) -> tuple[Float[Tensor, "batch frames 17 3"], Float[Tensor, "batch 2"]]:
    """People as random cameras see them.

    Returns:
        Joints in the camera frame, at least 0.4 m ahead, and half the image's width and height in rays.
    """
    count, device = len(world), world.device
    nearest, farthest = wild.distance
    distance = uniform(math.log(nearest), math.log(farthest), count, device=device).exp()
    angle = uniform(0.0, 2 * math.pi, count, device=device)
    height = uniform(*wild.height, count, device=device)
    target = world[:, world.shape[1] // 2, _TRUNK].mean(dim=1)
    level = (distance.square() - (height - target[:, 2]).square()).clamp_min(1).sqrt()
    away = torch.stack((level * angle.cos(), level * angle.sin()), dim=-1)
    position = torch.cat((target[:, :2] + away, height[:, None]), dim=-1)
    half = _half_image(distance, wild)
    aim = (
        half
        * uniform(-0.6, 0.6, count, 2, device=device)
        * (1 - 0.9 / (half * distance[:, None])).clamp(0.2, 1)
    )
    turn = _tilted(aim, torch.randn(count, device=device) * math.radians(wild.roll)) @ look_at(
        position, target
    )
    joints = (world - position[:, None, None]) @ turn.mT[:, None]
    too_near = 0.4 - joints[..., 2].flatten(1).amin(dim=1)
    joints[..., 2] += too_near.clamp_min(0)[:, None, None]
    return joints, half


def _half_image(distance: Float[Tensor, " batch"], wild: Wildness) -> Float[Tensor, "batch 2"]:
    """Half the width and height of the image in rays: people fit in, but for the share that is cut off."""
    count, device = len(distance), distance.device
    needed = (
        1.1
        / distance
        * torch.where(
            torch.rand(count, device=device) < wild.truncated, uniform(0.4, 1.0, count, device=device), 1.0
        )
    )
    wide = 0.5 / uniform(*wild.focal, count, device=device)
    wide = torch.minimum(torch.maximum(wide, needed), 10 * needed)
    portrait = torch.rand(count, device=device) < 0.4
    ratio = torch.where(portrait, 16 / 9, uniform(9 / 16, 1.0, count, device=device))
    return torch.stack((wide, wide * ratio), dim=-1)


def _tilted(aim: Float[Tensor, "batch 2"], roll: Float[Tensor, " batch"]) -> Float[Tensor, "batch 3 3"]:
    """Rotations that move what is straight ahead to a ray, and then roll the camera."""
    yaw, pitch = aim.atan().unbind(dim=-1)
    one, zero = torch.ones_like(roll), torch.zeros_like(roll)

    def matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    about_y = matrix((yaw.cos(), zero, yaw.sin()), (zero, one, zero), (-yaw.sin(), zero, yaw.cos()))
    about_x = matrix((one, zero, zero), (zero, pitch.cos(), pitch.sin()), (zero, -pitch.sin(), pitch.cos()))
    about_z = matrix((roll.cos(), -roll.sin(), zero), (roll.sin(), roll.cos(), zero), (zero, zero, one))
    return about_z @ about_x @ about_y


def detected(
    exact: Float[Tensor, "batch frames 17 2"], half: Float[Tensor, "batch 2"], fps: float, wild: Wildness
) -> tuple[Float[Tensor, "batch frames 17 2"], Bool[Tensor, "batch frames 17"]]:
    """Rays as a detector gives them, gaps filled, and which joints it saw."""
    generator = torch.default_generator if exact.device.type == "cpu" else _device_generator(exact.device)
    noise = _scaled(DetectorNoise(), uniform(*wild.noise, device=exact.device).item())
    rays = detect(exact, replace(noise, bias=wild.bias, dropout_fraction=0.0), fps=fps, generator=generator)
    missing = _gaps(exact.shape[:3], fps, wild, generator) | ((exact.abs() > half[:, None, None]).any(dim=-1))
    missing &= ~missing.flatten(1).all(dim=1)[:, None, None]
    never = missing.all(dim=1, keepdim=True)
    rays = interpolated(rays, missing)
    known = (~never).float()[..., None]
    trunk = known * torch.zeros_like(known).index_fill(2, torch.tensor(_TRUNK, device=exact.device), 1.0)
    weight = torch.where(trunk.sum(dim=2, keepdim=True) > 0, trunk, known)
    middle = (rays * weight).sum(dim=2, keepdim=True) / weight.sum(dim=2, keepdim=True)
    return torch.where(never[..., None], middle, rays), ~missing


def _device_generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(int(torch.randint(2**31, ())))


def _scaled(noise: DetectorNoise, factor: float) -> DetectorNoise:
    """A detector whose errors are larger by a factor; how often and how long they last stays."""
    sizes = ("jitter", "drift", "outlier_size")
    values = {f.name: getattr(noise, f.name) for f in fields(noise) if f.name in sizes}
    return replace(
        noise,
        **{
            name: tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value
            for name, value in values.items()
        },
    )


def _gaps(
    shape: Sequence[int], fps: float, wild: Wildness, generator: torch.Generator
) -> Bool[Tensor, "batch frames 17"]:
    """Joints that are not seen: far halves of limbs, whole frames, heads, and frames that nobody looks at."""
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
    missing[..., _NAMES.index("head_top")] |= torch.rand(count, 1, device=device) < wild.headless
    return missing


def ray_cameras(count: int, like: Tensor) -> Camera:
    """Cameras whose screen coordinates are rays: focal length 1 and an image 2 wide."""
    ones, zeros = torch.ones(count, 2).to(like), torch.zeros(count, 3).to(like)
    return Camera(
        focal=ones,
        center=zeros[:, :2],
        radial=zeros,
        tangential=zeros[:, :2],
        rotation=torch.eye(3).to(like).expand(count, 3, 3),
        position=zeros,
        image_size=2 * ones,
        convention="opencv",
    )
