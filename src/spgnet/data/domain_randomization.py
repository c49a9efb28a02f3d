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

from spgnet.data.dataset import PoseDataset
from spgnet.data.samples import Batch
from spgnet.errors import InputError
from spgnet.geometry.camera import Camera
from spgnet.geometry.interpolate import fill_missing, interpolate_frames
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import BODY, HUMAN36M, TRUNK
from spgnet.synthetic.detector_joints import detector_joints
from spgnet.synthetic.detector_noise import DetectorNoise, bursts, detect

Range = tuple[float, float]


@dataclass(frozen=True)
class DomainRandomization:
    """How far samples are changed. Ranges are drawn from evenly, and shares are of the samples.

    Raises:
        InputError: a range is upside down, a share is not in [0, 1], or something else is negative, or zero
            where that has no meaning; all faults are named.
    """

    fps: Range = (20.0, 40.0)
    """Frames per second, drawn once a batch; as many as the network is for."""
    speed: Range = (0.8, 1.25)
    """Playing speed, by a factor."""
    stature: Range = (0.975, 0.06)
    """Mean and standard deviation of the body's size, by a factor of one 1.75 m tall: those of grown-ups,
    since nobody can tell the size of a distant person from one camera."""
    bone_spread: float = 0.06
    """Standard deviation of the logarithm of single bones' lengths; left and right alike."""
    mixed: float = 0.3
    """Share with the upper body of another sample."""
    distance: Range = (1.5, 12.0)
    """Metres from the camera to the person, drawn evenly in the logarithm; farther where the camera would be
    less than 1 m aside of somebody far below it."""
    height: Range = (0.2, 3.0)
    """Metres from the floor to the camera."""
    focal: Range = (0.5, 3.0)
    """Focal length in image widths; raised where the person would not fill a tenth of the image, lowered
    where 2.5 m at the person's distance would not fit into it; of no effect where people are cut off."""
    roll: float = 6.0
    """Standard deviation of the camera's roll, in degrees."""
    truncated: float = 0.08
    """Share in which the image shows 0.7 to 2 m of the person, from the head downwards."""
    offset: float = 0.015
    """Standard deviation, in metres, of where in the body a detector puts a joint, about where detectors
    usually do (``spgnet.synthetic.detector_joints``); at 0 it puts all where they are."""
    bias: float = 0.005
    """Standard deviation of a joint's constant detection error, in units of ``person_size``."""
    noise: Range = (0.3, 1.5)
    """Factor of the size of the detector's errors, the constant one included."""
    derived: float = 0.5
    """Share whose pelvis and thorax are the middles of the detected hips and shoulders, as in keypoint sets
    that lack them."""
    headless: float = 0.3
    """Share without ``head_top``, as in keypoint sets that lack it."""
    faceless: float = 0.1
    """Share without ``nose``, as when people are seen from behind."""
    limb_gaps: float = 0.05
    """Share of a limb's frames in which its far half is not seen."""
    frame_gaps: float = 0.01
    """Share of the frames in which nobody is seen."""
    sparse: float = 0.15
    """Share in which only every second to fifth frame is looked at."""

    def __post_init__(self) -> None:
        faults = []
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            if not all(0 <= number < float("inf") for number in values):
                faults.append(f"{name} must be finite and not negative, got {value}")
            elif name in _POSITIVE and not values[0] > 0:
                faults.append(f"{name} must be above 0, got {value}")
            elif len(values) == 2 and name != "stature" and values[0] > values[1]:
                faults.append(f"{name} must be a range from low to high, got {value}")
            elif name in _SHARES and values[0] > 1:
                faults.append(f"{name} is a share of at most 1, got {value}")
        if faults:
            raise InputError("; ".join(faults))


_POSITIVE = ("fps", "speed", "stature", "distance", "focal")
_SHARES = (
    "mixed",
    "truncated",
    "derived",
    "headless",
    "faceless",
    "limb_gaps",
    "frame_gaps",
    "sparse",
)


def uniform(low: float, high: float, *shape: int, device: torch.device) -> Tensor:
    """Evenly distributed numbers."""
    return low + (high - low) * torch.rand(shape, device=device)


def view_from_random_cameras(
    world: Float[Tensor, "batch frames 17 3"], wild: DomainRandomization
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
    target = world[:, world.shape[1] // 2, TRUNK].mean(dim=1)
    level = (distance.square() - (height - target[:, 2]).square()).clamp_min(1).sqrt()
    away = torch.stack((level * angle.cos(), level * angle.sin()), dim=-1)
    position = torch.cat((target[:, :2] + away, height[:, None]), dim=-1)
    half, aim = _framed((target - position).norm(dim=-1), wild)
    turn = _turned_away(look_at(position, target), aim, torch.randn(count, device=device) * wild.roll)
    joints = (world - position[:, None, None]) @ turn.mT[:, None]
    too_near = 0.4 - joints[..., 2].flatten(1).amin(dim=1)
    joints[..., 2] += too_near.clamp_min(0)[:, None, None]
    return joints, half


def _framed(
    distance: Float[Tensor, " batch"], wild: DomainRandomization
) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch 2"]]:
    """Half the width and height of the image, and where in it the middle of the trunk is; in rays.

    2.5 m at the person's distance fit both ways, but for people who are cut off: of these, the image shows
    0.7 to 2 m, from the head downwards.
    """
    count, device = len(distance), distance.device
    portrait = torch.rand(count, device=device) < 0.4
    ratio = torch.where(portrait, 16 / 9, uniform(9 / 16, 1.0, count, device=device))
    needed = 1.25 / distance / ratio.clamp_max(1)
    wide = 0.5 / uniform(*wild.focal, count, device=device)
    wide = torch.minimum(torch.maximum(wide, needed), 10 * needed)
    half = torch.stack((wide, wide * ratio), dim=-1)
    place = uniform(-0.6, 0.6, count, 2, device=device)
    aim = half * place * (1 - 1.2 / (half * distance[:, None])).clamp_min(0)

    high = uniform(0.35, 1.0, count, device=device)
    close = torch.stack((high / ratio, high), dim=-1) / distance[:, None]
    chest = torch.stack((0.3 * place[:, 0] * high / ratio, 0.65 - high), dim=-1) / distance[:, None]
    cut = (torch.rand(count, device=device) < wild.truncated)[:, None]
    return torch.where(cut, close, half), torch.where(cut, chest, aim)


def _turned_away(
    rotation: Float[Tensor, "batch 3 3"], aim: Float[Tensor, "batch 2"], roll: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 3 3"]:
    """Panned about the vertical and tilted, which puts what was ahead at a ray; then rolled (degrees)."""
    pan, tilt = aim.atan().unbind(dim=-1)
    return _turn(roll.deg2rad(), (0, 1)) @ _turn(-tilt, (1, 2)) @ rotation @ _turn(-pan, (0, 1))


def _turn(angle: Float[Tensor, " batch"], plane: tuple[int, int]) -> Float[Tensor, "batch 3 3"]:
    """Rotations from the first of two axes to the second."""
    matrix = torch.eye(3, device=angle.device).repeat(len(angle), 1, 1)
    first, second = plane
    matrix[:, first, first] = matrix[:, second, second] = angle.cos()
    matrix[:, second, first] = angle.sin()
    matrix[:, first, second] = -angle.sin()
    return matrix


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


_NAMES = HUMAN36M.names
_LEGS = [HUMAN36M.bone_names.index(f"right_{joint}") for joint in ("knee", "ankle")]
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


class RandomizedSampler:
    """Draws samples from clips, on the device of its tensors; randomness is PyTorch's global generator's.

    Args:
        clips: motion in the world, of one frame rate.
        run: consecutive output frames per sample.
        context: input frames before the first and after the last output frame.
        randomization: how far samples are changed.
        flip: mirror a random half of the samples.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        *,
        run: int,
        context: tuple[int, int],
        randomization: DomainRandomization | None = None,
        flip: bool = True,
    ) -> None:
        self.fps = clips[0].fps
        assert all(clip.fps == self.fps for clip in clips)
        self.run, self.context, self.flip = run, context, flip
        self.randomization = randomization or DomainRandomization()
        self.joints = torch.cat([clip.joints for clip in clips])
        lengths = torch.tensor([len(clip) for clip in clips])
        ends = lengths.cumsum(0)
        self.first = (ends - lengths).repeat_interleave(lengths)
        self.last = (ends - 1).repeat_interleave(lengths)

    def __len__(self) -> int:
        """The number of frames that a sample's middle can be."""
        return len(self.joints)

    def to(self, device: torch.device) -> RandomizedSampler:
        """Move the motion to a device."""
        self.joints, self.first, self.last = (x.to(device) for x in (self.joints, self.first, self.last))
        return self

    def draw(self, count: int) -> Batch:
        """A number of samples.

        The batch's ``screen`` holds rays and whether each joint was seen, its ``seen`` the exact rays of
        the output frames (what re-projection should meet), and its cameras are of focal length 1.
        """
        wild = self.randomization
        fps = uniform(*wild.fps, device=self.joints.device).item()
        world = self._motion(count, fps)
        joints, half = view_from_random_cameras(world, wild)
        exact = joints[..., :2] / joints[..., 2:]
        marked = detector_joints(joints, wild.offset)
        rays, seen = detected(marked[..., :2] / marked[..., 2:].clamp_min(0.1), half, fps, wild)
        middle = slice(self.context[0], self.context[0] + self.run)
        screen = torch.cat((rays, seen.unsqueeze(-1).float()), dim=-1)
        return Batch(screen, exact[:, middle], joints[:, middle], ray_cameras(count, exact))

    def _motion(self, count: int, fps: float) -> Float[Tensor, "batch window 17 3"]:
        """Windows of changed motion in the world; people are at its origin in the middle of the window."""
        wild, device = self.randomization, self.joints.device
        frames = sum(self.context) + self.run
        offsets = (torch.arange(frames, device=device) - frames // 2) * (self.fps / fps)
        speed = uniform(*wild.speed, count, 1, device=device)

        def windows() -> Tensor:
            middle = torch.randint(len(self.joints), (count,), device=device)
            first, last = self.first[middle, None], self.last[middle, None]
            start, end = first - middle[:, None], last - middle[:, None]
            time = torch.minimum(torch.maximum(offsets * speed, start), end)
            return interpolate_frames(self.joints, time, first=middle[:, None])

        joints = windows()
        mixed = torch.rand(count, device=device) < wild.mixed
        joints = torch.where(mixed[:, None, None, None], with_upper_body(joints, windows()), joints)
        if self.flip:
            mirrored = torch.rand(count, device=device) < 0.5
            joints = torch.where(mirrored[:, None, None, None], HUMAN36M.flip(joints), joints)
        joints = joints - joints[:, frames // 2, None, :1] * joints.new_tensor([1, 1, 0])
        return with_body(joints, wild)


def randomized_dataset(
    clips: Sequence[MotionClip], *, seed: int, count: int = 300, frames: int = 100
) -> PoseDataset:
    """A fixed set of samples, each a view of its own, to validate on; at the frame rate of the clips.

    Args:
        clips: motion in the world, of one frame rate.
        seed: of all randomness.
        count: number of views.
        frames: length of each.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        randomization = DomainRandomization(fps=(clips[0].fps, clips[0].fps))
        sampler = RandomizedSampler(
            clips, run=frames, context=(0, 0), randomization=randomization, flip=False
        )
        batches = [sampler.draw(10) for _ in range(count // 10)]
    count = 10 * len(batches)
    joints = torch.cat([batch.joints for batch in batches])
    return PoseDataset(
        joints=joints.flatten(0, 1),
        screen=torch.cat([batch.screen for batch in batches]).flatten(0, 1),
        cameras=ray_cameras(count, joints),
        lengths=torch.full((count,), frames),
        fps=clips[0].fps,
        names=tuple(f"randomized-{number}" for number in range(count)),
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
    joints: Float[Tensor, "batch frames 17 3"], wild: DomainRandomization
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
    exact: Float[Tensor, "batch frames 17 2"],
    half: Float[Tensor, "batch 2"],
    fps: float,
    wild: DomainRandomization,
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
    rays = fill_missing(rays, missing)
    known = (~never).float()[..., None]
    trunk = known * torch.zeros_like(known).index_fill(2, torch.tensor(TRUNK, device=exact.device), 1.0)
    weight = torch.where(trunk.sum(dim=2, keepdim=True) > 0, trunk, known)
    middle = (rays * weight).sum(dim=2, keepdim=True) / weight.sum(dim=2, keepdim=True)
    return torch.where(never[..., None], middle, rays), ~missing


def _device_generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(int(torch.randint(2**31, ())))


def _gaps(
    shape: Sequence[int], fps: float, wild: DomainRandomization, generator: torch.Generator
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
