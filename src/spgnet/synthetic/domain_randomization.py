"""Domain randomisation: random bodies, cameras and detectors for motion that was captured or generated.

These are the changes that make training samples for any camera (``spgnet.data.samples.RandomizedSampler``
draws them). Each is a few batched tensor operations on the device of its input; all randomness is PyTorch's
global generator's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.interpolate import fill_missing
from spgnet.geometry.rigs import look_at
from spgnet.geometry.skeleton import ANKLE_HEIGHT, HUMAN36M, TRUNK
from spgnet.keypoints.gaps import place_undetected
from spgnet.synthetic.bodies import BodyVariation, draw_bone_lengths
from spgnet.synthetic.detector_noise import (
    NOISE_FITS,
    at_drawn,
    displacement,
    draw_bursts,
    person_size,
    simulate_detections,
)

Range = tuple[float, float]


@dataclass(frozen=True)
class DomainRandomization:
    """How far samples are changed. Numbers are drawn uniformly from ranges; shares are of the samples.

    Raises:
        InputError: a range's low end is above its high end, a share is not in [0, 1], or another value is
            negative, not finite, or zero where that has no meaning; the message lists all errors.
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
    proportions: float = 0.0
    """How much a body's bones vary together at equal stature; 1 is as in the people that
    ``spgnet.synthetic.bodies`` was fitted to."""
    children: float = 0.0
    """Share of children, 1.1 to 1.54 m tall."""
    heavy: float = 0.0
    """Share of heavy people: their hips and shoulders are wider."""
    swapped_upper_bodies: float = 0.3
    """Share with the upper body of another sample."""
    distance: Range = (1.5, 12.0)
    """Metres from the camera to the person, drawn evenly in the logarithm; raised so that the
    camera keeps at least 1 m of horizontal distance."""
    height: Range = (0.2, 3.0)
    """Metres from the floor to the camera."""
    focal: Range = (0.5, 3.0)
    """Focal length in image widths; raised where the person would not fill a tenth of the image, lowered
    where 2.5 m at the person's distance would not fit into it; of no effect where people are cut off."""
    roll: float = 6.0
    """Standard deviation of the camera's roll, in degrees."""
    tilted: float = 0.0
    """Share whose roll has a standard deviation of 25 degrees instead."""
    rolled: float = 0.0
    """Share whose roll is any angle: a camera held sideways or upside down."""
    tipped: float = 0.0
    """Share of people who are tipped over in the world, by any angle about any level axis."""
    truncated: float = 0.08
    """Share of people who are cut off: the image shows 0.7 to 2 m of them, from the head downwards."""
    offset: float = 0.015
    """Standard deviation, in metres, of where in the body a detector puts a joint, about where detectors
    usually do (``spgnet.synthetic.detector_joints``); at 0 it puts all where they are."""
    hip_offset: float = 0.0
    """Standard deviation, in metres, of a further such offset of each hip."""
    head_offset: float = 0.0
    """Standard deviation, in metres, of a further such offset of the nose, ``head_top`` and the thorax."""
    hip_widening: Range = (0.0, 0.0)
    """How far a detector moves each hip outward as it flexes: a share, which may be negative, of its distance
    from the pelvis times 1 - cos of its flexion; drawn for every sample and side."""
    bias: float = 0.005
    """Standard deviation of a joint's constant detection error, in units of ``person_size``."""
    noise: Range = (0.3, 1.5)
    """Factor of the size of the detector's errors, the constant one included."""
    noise_fit: int = 1
    """Which fit of a detector's errors (``spgnet.synthetic.detector_noise.NOISE_FITS``)."""
    far_noise: float = 0.0
    """By what share errors are larger, at most, for joints on the person's far side (0.2 m behind the
    pelvis)."""
    swaps: float = 0.002
    """Share of the frames in which left and right legs are exchanged, and likewise the arms."""
    strays: float = 0.0
    """Share of a joint's frames in which it is 3 to 15 % of the person's size away from where it is."""
    midpoint_joints: float = 0.5
    """Share whose pelvis and thorax are the middles of the detected hips and shoulders, as in keypoint sets
    that lack them."""
    coco: float = 0.0
    """Share with the joints of COCO's 17 keypoints: these midpoints, and no ``head_top``."""
    missing_head_top: float = 0.3
    """Share without ``head_top``, as in keypoint sets that lack it."""
    missing_nose: float = 0.1
    """Share without ``nose``, as for people who face away from the camera."""
    limb_gaps: float = 0.05
    """Share of a limb's frames in which its far half is not detected."""
    frame_gaps: float = 0.01
    """Share of the frames in which no joint is detected."""
    skipped_frames: float = 0.15
    """Share in which a detector looks at every second to fifth frame only."""

    def __post_init__(self) -> None:
        errors = []
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            lowest = -1 if name == "hip_widening" else 0
            if not all(lowest <= number < float("inf") for number in values):
                wanted = "finite and at least -1" if lowest else "finite and not negative"
                errors.append(f"{name} must be {wanted}, got {value}")
            elif name in _POSITIVE and not values[0] > 0:
                errors.append(f"{name} must be above 0, got {value}")
            elif len(values) == 2 and name != "stature" and values[0] > values[1]:
                errors.append(f"{name} must be a range from low to high, got {value}")
            elif name in _SHARES and values[0] > 1:
                errors.append(f"{name} is a share of at most 1, got {value}")
        if self.noise_fit not in NOISE_FITS:
            errors.append(f"noise_fit must be one of {', '.join(map(str, NOISE_FITS))}, got {self.noise_fit}")
        if errors:
            raise InputError("; ".join(errors))


_POSITIVE = ("fps", "speed", "stature", "distance", "focal")
_SHARES = (
    "children",
    "heavy",
    "swapped_upper_bodies",
    "truncated",
    "tilted",
    "rolled",
    "tipped",
    "swaps",
    "strays",
    "midpoint_joints",
    "coco",
    "missing_head_top",
    "missing_nose",
    "limb_gaps",
    "frame_gaps",
    "skipped_frames",
)


REALISTIC = DomainRandomization(
    stature=(0.975, 0.065),
    bone_spread=0.03,
    proportions=1.3,
    children=0.06,
    heavy=0.25,
    roll=6.0,
    tilted=0.3,
    rolled=0.1,
    tipped=0.04,
    truncated=0.14,
    offset=0.015,
    hip_offset=0.015,
    head_offset=0.03,
    hip_widening=(-0.1, 0.8),
    noise=(0.3, 1.6),
    noise_fit=2,
    far_noise=1.0,
    swaps=0.006,
    strays=0.004,
    midpoint_joints=0.35,
    coco=0.3,
    missing_head_top=0.25,
)
"""Bodies, cameras and detectors as they are: what the recipes ``randomized`` and ``randomized-live`` train
and validate with (``docs/weights.md``). The defaults are those of the first generation of weights."""

_NAMES = HUMAN36M.names
_LEGS = [HUMAN36M.bone_names.index(f"right_{joint}") for joint in ("knee", "ankle")]
_MIDPOINTS = {
    _NAMES.index(middle): [_NAMES.index(f"{side}_{end}") for side in ("left", "right")]
    for middle, end in (("pelvis", "hip"), ("thorax", "shoulder"))
}
_UPPER = tuple(range(_NAMES.index("spine"), len(_NAMES)))
_LIMBS = tuple(
    tuple(_NAMES.index(f"{side}_{joint}") for joint in pair)
    for side, pair in (
        ("right", ("knee", "ankle")),
        ("left", ("knee", "ankle")),
        ("left", ("elbow", "wrist")),
        ("right", ("elbow", "wrist")),
    )
)


def swap_upper_body(
    lower: Float[Tensor, "batch frames 17 3"], upper: Float[Tensor, "batch frames 17 3"]
) -> Float[Tensor, "batch frames 17 3"]:
    """One person's legs and path with another's upper body, rotated by the difference of their headings.

    Joints are in the world, in metres.
    """
    right = [pose[..., 1, :2] - pose[..., 4, :2] for pose in (lower, upper)]
    angle = torch.atan2(right[0][..., 1], right[0][..., 0]) - torch.atan2(right[1][..., 1], right[1][..., 0])
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    x, y, z = (upper[..., _UPPER, :] - upper[..., :1, :]).unbind(dim=-1)
    rotated = torch.stack((cos * x - sin * y, sin * x + cos * y, z), dim=-1)
    return torch.cat((lower[..., : _UPPER[0], :], lower[..., :1, :] + rotated), dim=-2)


def change_body(
    joints: Float[Tensor, "batch frames 17 3"], config: DomainRandomization
) -> Float[Tensor, "batch frames 17 3"]:
    """The same movements of a random body, whoever was captured; the path is scaled with the legs.

    Joints are in the world, in metres; bone lengths vary as ``spgnet.synthetic.bodies`` says.
    """
    body = BodyVariation(
        config.stature, config.bone_spread, config.proportions, config.children, config.heavy
    )
    lengths = draw_bone_lengths(len(joints), body, joints.device)[:, None]
    before = HUMAN36M.bone_lengths(joints[:, :1])
    legs = lengths[..., _LEGS].sum(dim=-1) / before[..., _LEGS].sum(dim=-1)
    scaled = joints + joints[:, :, :1] * (legs[..., None, None] - 1)
    return HUMAN36M.with_bone_lengths(scaled, lengths)


def place_random_cameras(
    world: Float[Tensor, "batch frames 17 3"], config: DomainRandomization
) -> tuple[Float[Tensor, "batch frames 17 3"], Float[Tensor, "batch 2"]]:
    """Move people from the world into the frames of random cameras.

    Returns:
        Joints in the camera frame, at least 0.4 m ahead, and half the image's width and height in rays.
    """
    count, device = len(world), world.device
    nearest, farthest = config.distance
    distance = uniform(math.log(nearest), math.log(farthest), count, device=device).exp()
    angle = uniform(0.0, 2 * math.pi, count, device=device)
    height = uniform(*config.height, count, device=device)
    target = world[:, world.shape[1] // 2, TRUNK].mean(dim=1)
    level = (distance.square() - (height - target[:, 2]).square()).clamp_min(1).sqrt()
    away = torch.stack((level * angle.cos(), level * angle.sin()), dim=-1)
    position = torch.cat((target[:, :2] + away, height[:, None]), dim=-1)
    half_image, aim = _frame_person((target - position).norm(dim=-1), config)
    rotation = _aim_camera(look_at(position, target), aim, _draw_roll(count, config, device))
    joints = (world - position[:, None, None]) @ rotation.mT[:, None]
    too_near = 0.4 - joints[..., 2].flatten(1).amin(dim=1)
    joints[..., 2] += too_near.clamp_min(0)[:, None, None]
    return joints, half_image


def _draw_roll(count: int, config: DomainRandomization, device: torch.device) -> Float[Tensor, " batch"]:
    """The camera's roll in each sample, in degrees."""
    normal = torch.randn(count, device=device)
    roll = normal * config.roll
    if config.tilted or config.rolled:
        kind = torch.rand(count, device=device)
        roll = torch.where(kind < config.tilted, 25.0 * normal, roll)
        any_angle = uniform(-180.0, 180.0, count, device=device)
        roll = torch.where(kind > 1 - config.rolled, any_angle, roll)
    return roll


def tip_people(
    joints: Float[Tensor, "batch frames 17 3"], share: float
) -> Float[Tensor, "batch frames 17 3"]:
    """Rotate a share of the people about a level axis through the pelvis in the middle frame, by any angle.

    Joints are in the world, in metres. People who are rotated are then moved up or down, so that their lowest
    joint is just above the floor.
    """
    count, device = len(joints), joints.device
    tipped = torch.rand(count, device=device) < share
    heading, angle = (uniform(-math.pi, math.pi, count, device=device) for _ in range(2))
    turn = _rotation(heading[tipped], (0, 1))
    rotation = turn.mT @ _rotation(angle[tipped], (1, 2)) @ turn
    some = joints[tipped]
    pivot = some[:, some.shape[1] // 2, None, :1]
    moved = (some - pivot) @ rotation[:, None] + pivot
    lowest = moved[..., 2].flatten(1).amin(dim=1)
    moved[..., 2] += (ANKLE_HEIGHT - lowest)[:, None, None]
    result = joints.clone()
    result[tipped] = moved
    return result


def _frame_person(
    distance: Float[Tensor, " batch"], config: DomainRandomization
) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch 2"]]:
    """Half the width and height of the image, and the position of the middle of the trunk in it, in rays.

    2.5 m at the person's distance fit both ways, but for people who are cut off: of these, the image shows
    0.7 to 2 m, from the head downwards.
    """
    count, device = len(distance), distance.device
    portrait = torch.rand(count, device=device) < 0.4
    ratio = torch.where(portrait, 16 / 9, uniform(9 / 16, 1.0, count, device=device))
    needed = 1.25 / distance / ratio.clamp_max(1)
    wide = 0.5 / uniform(*config.focal, count, device=device)
    wide = torch.minimum(torch.maximum(wide, needed), 10 * needed)
    half = torch.stack((wide, wide * ratio), dim=-1)
    offset = uniform(-0.6, 0.6, count, 2, device=device)
    aim = half * offset * (1 - 1.2 / (half * distance[:, None])).clamp_min(0)

    high = uniform(0.35, 1.0, count, device=device)
    close = torch.stack((high / ratio, high), dim=-1) / distance[:, None]
    chest = torch.stack((0.3 * offset[:, 0] * high / ratio, 0.65 - high), dim=-1) / distance[:, None]
    cut = (torch.rand(count, device=device) < config.truncated)[:, None]
    return torch.where(cut, close, half), torch.where(cut, chest, aim)


def _aim_camera(
    rotation: Float[Tensor, "batch 3 3"], aim: Float[Tensor, "batch 2"], roll: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 3 3"]:
    """Pan and tilt a camera, so that its former axis is at the ray ``aim``; then roll it (degrees)."""
    pan, tilt = aim.atan().unbind(dim=-1)
    return _rotation(roll.deg2rad(), (0, 1)) @ _rotation(-tilt, (1, 2)) @ rotation @ _rotation(-pan, (0, 1))


def _rotation(angle: Float[Tensor, " batch"], plane: tuple[int, int]) -> Float[Tensor, "batch 3 3"]:
    """Rotations from the first of two axes to the second."""
    matrix = torch.eye(3, device=angle.device).repeat(len(angle), 1, 1)
    first, second = plane
    matrix[:, first, first] = matrix[:, second, second] = angle.cos()
    matrix[:, second, first] = angle.sin()
    matrix[:, first, second] = -angle.sin()
    return matrix


def simulate_detector(
    exact: Float[Tensor, "batch frames 17 2"],
    half_image: Float[Tensor, "batch 2"],
    fps: float,
    config: DomainRandomization,
    depth: Float[Tensor, "batch frames 17"] | None = None,
) -> tuple[Float[Tensor, "batch frames 17 2"], Bool[Tensor, "batch frames 17"]]:
    """Exact rays with a detector's errors and its gaps filled, and which joints were detected.

    Args:
        exact: x / z and y / z of the joints.
        half_image: half the image's width and height in rays; what is outside is not detected.
        fps: frames per second.
        config: how large errors and how frequent gaps are.
        depth: of the joints in metres, which says what is on the person's far side; if None, nothing is.
    """
    generator = torch.default_generator if exact.device.type == "cpu" else _device_generator(exact.device)
    noise = replace(
        NOISE_FITS[config.noise_fit], bias=config.bias, dropout_fraction=0.0, swap_fraction=config.swaps
    )
    scale = uniform(*config.noise, len(exact), device=exact.device)[:, None, None]
    if config.far_noise and depth is not None:
        behind = ((depth - depth[..., :1]) / 0.2).clamp(0, 1)
        scale = scale * (1 + uniform(0.0, config.far_noise, len(exact), 1, 1, device=exact.device) * behind)
    rays = simulate_detections(exact, noise, fps=fps, generator=generator, scale=scale)
    if config.strays:
        rays = rays + _strays(exact, config.strays, fps, generator)
    missing = _gaps(exact.shape[:3], fps, config, generator)
    for axis in range(2):
        missing |= exact[..., axis].abs() > half_image[:, axis, None, None]
    use_midpoints = torch.rand(len(exact), 1, device=exact.device) < config.midpoint_joints
    if config.coco:
        coco = torch.rand(len(exact), 1, device=exact.device) < config.coco
        use_midpoints |= coco
        missing[..., _NAMES.index("head_top")] |= coco
    for joint, sides in _MIDPOINTS.items():
        midpoint, side_missing = rays[:, :, sides].mean(dim=2), missing[:, :, sides].any(dim=2)
        rays[:, :, joint] = torch.where(use_midpoints[..., None], midpoint, rays[:, :, joint])
        missing[:, :, joint] = torch.where(use_midpoints, side_missing, missing[:, :, joint])
    missing &= ~missing.flatten(1).all(dim=1)[:, None, None]  # a sample without any joint keeps all
    never = missing.all(dim=1)
    rays = fill_missing(rays, missing)
    some = never.any(dim=1)
    unknown = rays[some].masked_fill(never[some][:, None, :, None], torch.nan)
    rays[some] = torch.from_numpy(place_undetected(unknown.cpu().numpy())).to(rays.device)
    return rays, ~missing


def _strays(
    exact: Float[Tensor, "batch frames 17 2"], share: float, fps: float, generator: torch.Generator
) -> Float[Tensor, "batch frames 17 2"]:
    """Displacements of joints that a detector takes for something near them, in rays; 0 for most."""
    shape, device = exact.shape[:3], exact.device
    active, drawn = draw_bursts(shape, share, 0.1 * fps, generator)
    turn, size = (at_drawn(torch.rand(shape, device=device), active, drawn) for _ in range(2))
    person = person_size(exact)[..., None].expand(shape)[active]
    return displacement(active, turn, (0.03 + 0.12 * size) * person)


def _gaps(
    shape: Sequence[int], fps: float, config: DomainRandomization, generator: torch.Generator
) -> Bool[Tensor, "batch frames 17"]:
    """Joints that a detector misses: far halves of limbs, heads and noses, and all in frames without a person
    or that are skipped."""
    count, frames, joints = shape
    device = generator.device
    missing = torch.zeros(count, frames, joints, dtype=torch.bool, device=device)
    limbs, _ = draw_bursts((count, frames, len(_LIMBS)), config.limb_gaps, 0.5 * fps, generator)
    both = torch.rand(count, 1, len(_LIMBS), device=device) < 0.5
    for limb, (middle, end) in enumerate(_LIMBS):
        missing[..., end] |= limbs[..., limb]
        missing[..., middle] |= (limbs & both)[..., limb]
    empty, _ = draw_bursts((count, frames, 1), config.frame_gaps, 0.2 * fps, generator)
    every = torch.randint(2, 6, (count, 1), device=device)
    phase = torch.randint(60, (count, 1), device=device)
    detected = (torch.arange(frames, device=device) + phase) % every == 0
    skips = torch.rand(count, 1, device=device) < config.skipped_frames
    missing |= empty | (skips & ~detected)[..., None]
    for joint, share in (("head_top", config.missing_head_top), ("nose", config.missing_nose)):
        missing[..., _NAMES.index(joint)] |= torch.rand(count, 1, device=device) < share
    return missing


def _device_generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(int(torch.randint(2**31, ())))


def uniform(low: float, high: float, *shape: int, device: torch.device) -> Tensor:
    """Uniformly distributed numbers."""
    return low + (high - low) * torch.rand(shape, device=device)
