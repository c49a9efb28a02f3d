"""Procedural motion: people who walk, sit, squat, reach, bend, exercise, balance and lie, made from a seed.

This is the training data that needs no download. An action is a function that gives smooth joint angles;
forward kinematics puts them on a random body, and contact with the floor moves the body through the world.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.synthetic.articulation import (
    JOINT_ROTATIONS,
    SIDES,
    Angle,
    Pose,
    bone_vectors,
    pose_body,
    stand_on_floor,
)

Number = float | int


class Signals:
    """Random signals for a number of clips, smooth in time.

    They are functions of continuous time: another frame rate samples the same motion.
    """

    def __init__(self, clips: int, time: Float[Tensor, " frames"], generator: torch.Generator) -> None:
        self.clips, self.time, self.generator = clips, time, generator

    def uniform(self, low: Number, high: Number, *shape: int) -> Float[Tensor, "clips ..."]:
        """Uniformly distributed numbers, [clips, *shape]; by default one for each clip, [clips, 1]."""
        unit = torch.rand(self.clips, *(shape or (1,)), generator=self.generator, dtype=torch.float64)
        return low + (high - low) * unit

    def noise(self, rate: Number, channels: int = 1) -> Float[Tensor, "clips frames channels"]:
        """Independent channels of mean 0 and variance 1, with frequencies up to a rate in Hz."""
        waves = (channels, 4)
        cycles = self.time[:, None, None] * self.uniform(0.2 * rate, rate, 1, *waves)
        cycles = cycles + self.uniform(0, 1, 1, *waves)
        return (2 * math.pi * cycles).sin().sum(dim=-1) * math.sqrt(2 / waves[1])

    def between(self, low: Number, high: Number, rate: Number) -> Float[Tensor, "clips frames"]:
        """A signal that moves slowly between two values and stays near each for a while."""
        return low + (high - low) * (0.5 + 0.5 * (1.3 * self.noise(rate)[..., 0]).tanh())

    def visits(self, shortest: Number, longest: Number) -> Float[Tensor, "clips frames"]:
        """Go from 0 to 1, stay, and come back: once in a period between two lengths in seconds."""
        cycles = self.time / self.uniform(shortest, longest) + self.uniform(0, 1)
        return 0.5 + 0.5 * (2.2 * (2 * math.pi * cycles).sin() + self.uniform(-0.5, 0.5)).tanh()


_WALK_HIP = (22.0, 20.0, 11.0, 2.0, -6.0, -11.0, -6.0, 10.0, 22.0, 26.0)
_WALK_KNEE = (3.0, 14.0, 16.0, 10.0, 5.0, 10.0, 36.0, 60.0, 50.0, 17.0)
_JOG_HIP = (38.0, 33.0, 20.0, 4.0, -9.0, -8.0, 8.0, 30.0, 46.0, 47.0)
_JOG_KNEE = (15.0, 34.0, 36.0, 24.0, 16.0, 36.0, 72.0, 90.0, 72.0, 32.0)
"""Flexion at each tenth of a gait cycle, which begins as the foot lands."""


def procedural_clips(count: int, *, seed: int, seconds: float = 8.0, fps: float = 50.0) -> list[MotionClip]:
    """Motion of random people in the world (metres, z up, floor at 0), the same for the same seed.

    Clips are spread evenly over the actions: their numbers differ by one at most.

    Raises:
        InputError: no clips are asked for, or clips of fewer than two frames.
    """
    if count < 1:
        raise InputError(f"the number of clips must be at least 1, got {count}")
    if not fps > 0 or not seconds * fps >= 2:
        raise InputError(f"a clip needs at least two frames, got {seconds} s at {fps} frames per second")
    time = torch.arange(round(seconds * fps), dtype=torch.float64) / fps
    generator = torch.Generator().manual_seed(seed)
    clips: dict[int, MotionClip] = {}
    for number, (action, angles) in enumerate(_ACTIONS.items()):
        indices = range(number, count, len(_ACTIONS))
        if indices:
            signals = Signals(len(indices), time, generator)
            scales = signals.uniform(0.94, 1.06, len(HUMAN36M))
            bones = bone_vectors(scales, signals.uniform(1.5, 1.95))
            pose = _with_joined_hands(angles(signals), signals)
            joints = stand_on_floor(pose_body(pose, bones))
            for index, motion in zip(indices, joints.float(), strict=True):
                name = f"{action}-{seed}-{index}"
                clips[index] = MotionClip(motion.clone(), fps, name, "procedural", action)
    return [clips[index] for index in range(count)]


def _idle(signals: Signals) -> Pose:
    """Stand at ease, never quite still: the pose that every action adds to."""
    pose = {joint: jitter * signals.noise(0.5, 3) for joint, (_, _, jitter) in JOINT_ROTATIONS.items()}
    _rotate(pose, "heading", twist=signals.uniform(-180, 180))
    _rotate(pose, "lumbar", flexion=signals.uniform(-4, 6))
    _rotate(pose, "thoracic", flexion=signals.uniform(0, 12))
    _rotate(pose, "neck", flexion=signals.uniform(-10, 15))
    apart = signals.uniform(-3, 8)
    for side in SIDES:
        _rotate(pose, f"{side}_hip", flexion=4, side=apart, twist=signals.uniform(0, 12))
        _rotate(pose, f"{side}_knee", flexion=2)
        _rotate(pose, f"{side}_shoulder", side=signals.uniform(4, 14), twist=signals.uniform(-30, 10))
        _rotate(pose, f"{side}_elbow", flexion=signals.uniform(8, 30))
    return pose


def _rotate(pose: Pose, joint: str, *, flexion: Angle = 0, side: Angle = 0, twist: Angle = 0) -> None:
    """Add to the angles of a joint."""
    for axis, angle in enumerate((flexion, side, twist)):
        pose[joint][..., axis] += angle


def _crouch(pose: Pose, thigh: Angle, shin: Angle, lean: Angle) -> None:
    """Bend both legs: the thighs and shins this far from vertical, and the pelvis leaning this far ahead."""
    _rotate(pose, "pelvis", flexion=lean)
    for side in SIDES:
        _rotate(pose, f"{side}_hip", flexion=thigh + lean)
        _rotate(pose, f"{side}_knee", flexion=thigh + shin)


def _move_arm(pose: Pose, side: str, signals: Signals, share: Angle) -> None:
    """Move an arm at will, in front of the body and above it; by a share of the full range."""
    raised, out = share * signals.between(-20, 150, 0.4), share * signals.between(-15, 70, 0.4)
    _rotate(pose, f"{side}_shoulder", flexion=raised, side=out, twist=share * signals.between(-50, 50, 0.4))
    _rotate(pose, f"{side}_elbow", flexion=share * signals.between(-5, 110, 0.5))
    _rotate(pose, f"{side}_clavicle", side=share * signals.between(-5, 20, 0.4))


def _with_joined_hands(pose: Pose, signals: Signals) -> Pose:
    """In a third of the clips, now and then both hands are near each other in front of the body.

    People clasp their hands, fold their arms, and hold things between them, from the belly up to the face.
    """
    some = (signals.uniform(-2, 1) > 0).double()
    joined = (some * (signals.visits(5, 12) + signals.uniform(-0.5, 1)).clamp(0, 1))[..., None]
    raised, bent = signals.uniform(0, 100), signals.uniform(60, 140)
    inward, out = signals.uniform(25, 65), signals.uniform(-5, 25)
    for side in SIDES:
        shoulder = torch.stack(
            (
                raised + signals.between(-12, 12, 0.3),
                out + signals.between(-6, 6, 0.3),
                -inward + signals.between(-10, 10, 0.3),
            ),
            dim=-1,
        )
        elbow = torch.zeros_like(shoulder)
        elbow[..., 0] = bent + signals.between(-15, 15, 0.3)
        for joint, angles in ((f"{side}_shoulder", shoulder), (f"{side}_elbow", elbow)):
            pose[joint] = pose[joint].lerp(angles, joined)
    return pose


def _some(signals: Signals) -> Tensor:
    """For about a third of the clips a share between 0 and 1, for the others 0; [clips, 1]."""
    return signals.uniform(-2, 1).clamp_min(0)


def _walk(signals: Signals) -> Pose:
    """Walk along a curved path; some jog, and some do things with a hand."""
    pose, jog = _idle(signals), _some(signals)
    cycles = signals.uniform(0.7, 1.0) * (1 + 0.45 * jog) * signals.time + signals.uniform(0, 1)
    cycles = cycles + 0.03 * signals.noise(0.4)[..., 0]
    stride, swing = signals.uniform(0.7, 1.15), signals.uniform(8, 28)
    _rotate(pose, "heading", twist=signals.uniform(-35, 35) * signals.time + 12 * signals.noise(0.15)[..., 0])
    for side, ahead, sign in zip(SIDES, (0.0, 0.5), (-1, 1), strict=True):
        phase = cycles + ahead
        hip, knee = _gait(phase, _WALK_HIP, _JOG_HIP, jog), _gait(phase, _WALK_KNEE, _JOG_KNEE, jog)
        forward = (2 * math.pi * phase).cos()
        _rotate(pose, f"{side}_hip", flexion=stride * hip + 3 * jog, side=-4)
        _rotate(pose, f"{side}_knee", flexion=stride.clamp_min(0.85) * knee)
        _rotate(pose, f"{side}_shoulder", flexion=-swing * (1 + jog) * forward)
        _rotate(pose, f"{side}_elbow", flexion=(55 * jog) - 0.4 * swing * forward)
        _rotate(pose, "pelvis", side=2 * sign * (2 * math.pi * (phase - 0.2)).cos(), twist=2 * sign * forward)
        _rotate(pose, "thoracic", twist=-4 * sign * forward)
        _move_arm(pose, side, signals, _some(signals))
    _crouch(pose, 0, 0, 3 + 5 * jog)
    return pose


def _gait(phase: Tensor, walk: tuple[float, ...], jog: tuple[float, ...], share: Tensor) -> Tensor:
    """Flexion through gait cycles: tables of a cycle, mixed for each clip, as smooth periodic functions."""
    table = torch.tensor(walk).lerp(torch.tensor(jog), share.float()).double()
    waves = torch.fft.rfft(table, norm="forward")[:, : len(walk) // 2]
    phasors = torch.exp(2j * math.pi * phase[..., None] * torch.arange(waves.shape[1]))
    waves[:, 1:] *= 2
    return (waves[:, None, :] * phasors).real.sum(dim=-1)


def _sit(signals: Signals) -> Pose:
    """Sit down on a chair, stay and stand up again, while the arms do things."""
    pose, seated = _idle(signals), signals.visits(6, 12)
    rising = 4 * seated * (1 - seated)
    lean = seated * signals.between(-10, 12, 0.2) + 25 * rising
    _crouch(pose, signals.uniform(84, 94) * seated, 15 * rising, lean)
    _rotate(pose, "lumbar", flexion=seated * signals.between(0, 25, 0.2) + 10 * rising)
    across, around = signals.between(-8, 8, 0.2), signals.between(-20, 20, 0.2)
    _rotate(pose, "thoracic", side=seated * across, twist=seated * around)
    left_plays = (signals.uniform(-1, 1) > 0).double()
    for side, plays in zip(SIDES, (left_plays, 1 - left_plays), strict=True):
        apart = seated * signals.uniform(-2, 20)
        _rotate(pose, f"{side}_hip", side=apart, twist=apart)
        _rotate(pose, f"{side}_knee", flexion=-seated * plays * signals.between(-10, 40, 0.3))
        _rotate(pose, f"{side}_shoulder", flexion=20 * seated)
        _rotate(pose, f"{side}_elbow", flexion=50 * seated)
        _move_arm(pose, side, signals, 0.5 * seated + 0.5 * _some(signals))
    return pose


def _squat(signals: Signals) -> Pose:
    """Bend the knees, deep or not so deep, with the arms held ahead or hanging."""
    pose = _idle(signals)
    depth = signals.visits(2, 4.5) * signals.uniform(0.4, 1)
    _crouch(pose, 108 * depth, signals.uniform(20, 32) * depth, 28 * depth)
    _rotate(pose, "lumbar", flexion=20 * depth)
    _rotate(pose, "neck", flexion=-25 * depth)
    arms, apart = signals.uniform(10, 90), signals.uniform(0, 16)
    for side in SIDES:
        _rotate(pose, f"{side}_hip", side=apart * depth, twist=0.6 * apart * depth)
        _rotate(pose, f"{side}_shoulder", flexion=arms * depth)
        _move_arm(pose, side, signals, _some(signals))
    return pose


def _reach(signals: Signals) -> Pose:
    """Reach for things at all heights with both arms, bending and twisting to them."""
    pose, low = _idle(signals), signals.between(0, 1, 0.25) ** 2
    lean = signals.between(-5, 25, 0.25) + 35 * low
    _crouch(pose, signals.uniform(0, 70) * low, signals.uniform(0, 20) * low, lean)
    _rotate(pose, "pelvis", twist=signals.between(-6, 6, 0.25))
    for joint in ("lumbar", "thoracic"):
        across, around = signals.between(-10, 10, 0.3), signals.between(-18, 18, 0.3)
        _rotate(pose, joint, flexion=signals.between(-5, 22, 0.3), side=across, twist=around)
        _rotate(pose, "neck", twist=0.5 * around)
    for side in SIDES:
        _move_arm(pose, side, signals, signals.uniform(0.6, 1.1))
    return pose


def _bend(signals: Signals) -> Pose:
    """Bend the trunk forward and to the sides, with hanging or free arms."""
    pose, down = _idle(signals), signals.visits(3, 6) * signals.uniform(30, 110)
    aside = signals.between(-1, 1, 0.3)
    _crouch(pose, -0.08 * down + signals.uniform(0, 0.35) * down, 0.05 * down, 0.5 * down)
    _rotate(pose, "lumbar", flexion=0.3 * down, side=18 * aside, twist=signals.between(-8, 8, 0.3))
    _rotate(pose, "thoracic", flexion=0.2 * down, side=14 * aside, twist=signals.between(-12, 12, 0.3))
    _rotate(pose, "neck", flexion=-0.15 * down, side=8 * aside)
    hanging = signals.uniform(0.2, 1)
    for side in SIDES:
        _rotate(pose, f"{side}_shoulder", flexion=hanging * down)
        _move_arm(pose, side, signals, _some(signals))
    return pose


def _limbs(signals: Signals) -> Pose:
    """Stand on one leg after the other and move all limbs at will."""
    pose, left = _idle(signals), signals.between(0, 1, 0.3)
    _rotate(pose, "pelvis", flexion=signals.between(-10, 20, 0.3), side=signals.between(-8, 8, 0.3))
    for joint in ("lumbar", "thoracic", "neck"):
        across, around = signals.between(-10, 10, 0.4), signals.between(-20, 20, 0.4)
        _rotate(pose, joint, flexion=signals.between(-8, 20, 0.4), side=across, twist=around)
    for side, free in zip(SIDES, (left, 1 - left), strict=True):
        raised, out = free * signals.between(-20, 95, 0.5), free * signals.between(-5, 35, 0.5)
        _rotate(pose, f"{side}_hip", flexion=raised, side=out, twist=free * signals.between(-20, 25, 0.5))
        _rotate(
            pose, f"{side}_knee", flexion=free * signals.between(0, 115, 0.5) + signals.between(0, 12, 0.3)
        )
        _move_arm(pose, side, signals, signals.uniform(0.7, 1.1))
    return pose


def _balance(signals: Signals) -> Pose:
    """Lean far over to all sides on one leg or both, with arms and the other leg held out anywhere."""
    pose, left, far = _idle(signals), signals.between(0, 1, 0.3), signals.uniform(0.2, 1)
    lean, across = far * signals.between(-20, 70, 0.25), far * signals.between(-40, 40, 0.25)
    _rotate(pose, "pelvis", flexion=lean, side=across)
    for joint in ("lumbar", "thoracic", "neck"):
        bent, around = signals.between(-18, 18, 0.3), signals.between(-30, 30, 0.3)
        _rotate(pose, joint, flexion=signals.between(-15, 30, 0.3), side=bent, twist=around)
    for side, sign, free in zip(SIDES, (-1, 1), (left, 1 - left), strict=True):
        stands, bend = 1 - free, signals.between(0, 45, 0.3)
        raised, out = signals.between(-30, 110, 0.4), signals.between(-15, 60, 0.4)
        _rotate(pose, f"{side}_hip", flexion=stands * (lean + bend) + free * raised)
        _rotate(pose, f"{side}_hip", side=sign * stands * across + free * out)
        _rotate(pose, f"{side}_hip", twist=free * signals.between(-30, 30, 0.4))
        _rotate(pose, f"{side}_knee", flexion=2 * stands * bend + free * signals.between(0, 125, 0.5))
        _rotate(
            pose, f"{side}_shoulder", flexion=signals.between(-30, 10, 0.4), side=signals.between(0, 45, 0.4)
        )
        _move_arm(pose, side, signals, signals.uniform(0.5, 1.1))
    return pose


def _lie(signals: Signals) -> Pose:
    """Lie on the floor, roll from side to side, and sit up from the back."""
    pose, up = _idle(signals), signals.visits(6, 12)
    pitch = -88 + 68 * up
    roll = (1 - up) * signals.between(-100, 100, 0.12)
    loose = 0.25 + 0.75 * (roll * math.pi / 180).cos().clamp_min(0)
    _rotate(pose, "pelvis", flexion=pitch, twist=roll)
    _rotate(pose, "lumbar", flexion=signals.between(0, 20, 0.3) + 20 * up)
    _rotate(pose, "neck", flexion=signals.between(-5, 25, 0.3))
    for side in SIDES:
        raised = loose * signals.between(0, 60, 0.25)
        _rotate(pose, f"{side}_hip", flexion=86 + pitch + raised, side=loose * signals.between(-5, 15, 0.25))
        _rotate(pose, f"{side}_knee", flexion=1.8 * raised)
        _move_arm(pose, side, signals, loose * signals.uniform(0.3, 0.9))
    return pose


_ACTIONS = {
    action.__name__[1:]: action for action in (_walk, _sit, _squat, _reach, _bend, _limbs, _balance, _lie)
}
