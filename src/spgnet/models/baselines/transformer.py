"""A small transformer over time and over joints, made to learn much in little time on a CPU.

It is of the family of MotionBERT and MotionAGFormer, which alternate attention between frames and attention
between the joints of a frame. Those lift many frames at once, and every joint of every frame is a token all
the way through. Here only the output frame goes through the blocks: as one wide
frame token, which attends to the frames around it, and as 17 narrow joint tokens, which attend to each other.
In every block the frame token reads the joint tokens, and they read it. The frames around are looked at
as they were embedded, so that

- a training sample costs little more than its output frames, and can be a short run out of many clips;
- the receptive field is J whatever the number of blocks, and no frame's result depends on the chunk it is
  lifted in.

Joints go in relative to the pelvis, which is what the pose is asked for, with the pelvis beside them. For the
trajectory, VideoPose3D's encoder stands beside the network, as in SPGNet.

That attention is what makes it accurate is not shown: in single short runs of prototypes on the open
benchmark's validation split, one without any attention, the frame token's path alone, was as accurate.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import Lifted, LiftingNetwork
from spgnet.models.temporal import TemporalEncoder

MAGNIFIED = 3.0
"""What 2D joints relative to the pelvis are multiplied by: a person fills about a third of an image."""
ATTENDED = 8192
"""Output frames computed at once, times the frames that each attends to; it bounds the memory."""


@dataclass(frozen=True)
class TransformerConfig:
    """The transformer; as it stands, a size for a CPU.

    Raises:
        InputError: a filter width is not odd and positive, or another value is out of its range.
    """

    filter_widths: tuple[int, ...] = (3, 3)
    """Frames per filter of each layer of the trajectory encoder; their product is the receptive field J, all
    of which attention over time looks at."""
    frame_channels: int = 256
    """Width of the frame token, a multiple of ``frame_heads``."""
    joint_channels: int = 48
    """Width of a joint token, a multiple of ``joint_heads``."""
    blocks: int = 2
    """Blocks of attention over time and over joints."""
    frame_heads: int = 8
    """Heads of the attention over time."""
    joint_heads: int = 4
    """Heads of the attention over joints."""
    trajectory_channels: int = 128
    """Width of the hidden layers of the trajectory encoder."""
    trajectory_dropout: float = 0.25
    """Probability of dropping a hidden feature of the trajectory encoder in training; tokens have none."""
    causal: bool = False
    """Look at past frames only."""

    def __post_init__(self) -> None:
        sizes = ("frame_channels", "joint_channels", "blocks", "frame_heads", "joint_heads")
        faults = [
            f"{name} must be positive, got {getattr(self, name)}"
            for name in (*sizes, "trajectory_channels")
            if getattr(self, name) < 1
        ]
        if not self.filter_widths or any(w < 1 or w % 2 == 0 for w in self.filter_widths):
            faults.append(f"filter widths must be odd and positive, got {self.filter_widths}")
        if not faults:
            for kind in ("frame", "joint"):
                width, heads = getattr(self, f"{kind}_channels"), getattr(self, f"{kind}_heads")
                if width % heads:
                    faults.append(f"{kind}_channels must be a multiple of {kind}_heads, got {width}, {heads}")
        if not 0 <= self.trajectory_dropout < 1:
            faults.append(f"trajectory_dropout must be in [0, 1), got {self.trajectory_dropout}")
        if faults:
            raise InputError("; ".join(faults))

    @property
    def receptive_field(self) -> int:
        """J: the number of input frames behind one output frame."""
        return prod(self.filter_widths)

    @property
    def context(self) -> tuple[int, int]:
        """How many of these come before and after the output frame."""
        before = self.receptive_field - 1 if self.causal else self.receptive_field // 2
        return before, self.receptive_field - 1 - before


class PerJoint(nn.Module):
    """A linear map of its own for every joint."""

    def __init__(self, inputs: int, outputs: int, spread: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(spread * torch.randn(len(HUMAN36M), inputs, outputs))
        self.bias = nn.Parameter(spread * torch.randn(len(HUMAN36M), outputs))

    def forward(self, x: Float[Tensor, "b t 17 inputs"]) -> Float[Tensor, "b t 17 outputs"]:
        """Joint by joint."""
        return torch.einsum("btji,jio->btjo", x, self.weight) + self.bias


class Perceptron(nn.Sequential):
    """A hidden layer, twice as wide, on what is normalised first."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.GELU(),
            nn.Linear(2 * channels, channels),
        )


class OverTime(nn.Module):
    """Attention of the frame token to the J frames around it, whose keys and values know their place."""

    def __init__(self, channels: int, heads: int, frames: int) -> None:
        super().__init__()
        self.heads, self.frames = heads, frames
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key_value = nn.Linear(channels, 2 * channels, bias=False)
        self.places = nn.Parameter(0.1 * torch.randn(frames, 2 * channels))
        self.last = nn.Linear(channels, channels)

    def forward(
        self, token: Float[Tensor, "b t c"], around: Float[Tensor, "b frames c"]
    ) -> Float[Tensor, "b t c"]:
        """What the tokens find, each in its own J of the embedded frames."""
        windows = self.key_value(around).unfold(1, self.frames, 1).mT  # a view: [b, t, J, 2 c]
        heads = (windows + self.places).unflatten(-1, (2, self.heads, -1))
        key, value = heads.permute(3, 0, 1, 4, 2, 5)  # each [b, t, heads, J, c / heads]
        query = self.query(self.norm(token)).unflatten(-1, (self.heads, 1, -1))
        return self.last(attended(query, key, value).flatten(2))


class OverJoints(nn.Module):
    """Attention of the joint tokens of a frame to each other; each has a learnt leaning to each."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels, bias=False)
        self.leaning = nn.Parameter(torch.zeros(heads, len(HUMAN36M), len(HUMAN36M)))
        self.last = nn.Linear(channels, channels)

    def forward(self, tokens: Float[Tensor, "b t 17 c"]) -> Float[Tensor, "b t 17 c"]:
        """What the joints find in the other joints of their frame."""
        heads = self.query_key_value(self.norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = heads.permute(3, 0, 1, 4, 2, 5)  # each [b, t, heads, 17, c / heads]
        return self.last(attended(query, key, value, self.leaning).transpose(2, 3).flatten(3))


def attended(
    query: Float[Tensor, "*batch queries e"],
    key: Float[Tensor, "*batch keys e"],
    value: Float[Tensor, "*batch keys e"],
    leaning: Float[Tensor, "heads queries keys"] | None = None,
) -> Float[Tensor, "*batch queries e"]:
    """Scaled dot-product attention; PyTorch's own is no faster on a CPU for so few keys."""
    likeness = query @ key.mT * query.shape[-1] ** -0.5
    weights = (likeness if leaning is None else likeness + leaning).softmax(dim=-1)
    return weights.to(value.dtype) @ value


class Block(nn.Module):
    """The frame token looks at its joints and over time; then the joints look at it and at each other."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        frame, joint = config.frame_channels, config.joint_channels
        self.joint_norm, self.frame_norm = nn.LayerNorm(joint), nn.LayerNorm(frame)
        self.to_frame = nn.Linear(len(HUMAN36M) * joint, frame)
        self.to_joints = nn.Linear(frame, len(HUMAN36M) * joint)
        self.over_time = OverTime(frame, config.frame_heads, config.receptive_field)
        self.over_joints = OverJoints(joint, config.joint_heads)
        self.frame_mlp, self.joint_mlp = Perceptron(frame), Perceptron(joint)

    def forward(
        self,
        frame: Float[Tensor, "b t c"],
        joints: Float[Tensor, "b t 17 d"],
        around: Float[Tensor, "b frames c"],
    ) -> tuple[Float[Tensor, "b t c"], Float[Tensor, "b t 17 d"]]:
        """The tokens of the output frames, and the embedded frames around them."""
        frame = frame + self.to_frame(self.joint_norm(joints).flatten(2))
        frame = frame + self.over_time(frame, around)
        frame = frame + self.frame_mlp(frame)
        joints = joints + self.to_joints(self.frame_norm(frame)).unflatten(-1, joints.shape[2:])
        joints = joints + self.over_joints(joints)
        return frame, joints + self.joint_mlp(joints)


class Transformer(LiftingNetwork):
    """See :class:`TransformerConfig` and :class:`LiftingNetwork`."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.receptive_field, self.context = config.receptive_field, config.context
        frame, joint = config.frame_channels, config.joint_channels
        self.embed_frame = nn.Linear(2 * len(HUMAN36M), frame)
        self.around_norm = nn.LayerNorm(frame)
        self.embed_joints = PerJoint(4, joint, spread=0.5)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(joint)
        self.last = PerJoint(joint, 3, spread=0.02)
        self.trajectory = TemporalEncoder(
            2 * len(HUMAN36M),
            3,
            filter_widths=config.filter_widths,
            channels=config.trajectory_channels,
            dropout=config.trajectory_dropout,
            causal=config.causal,
        )

    def forward(self, screen: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> Lifted:
        """Lift screen coordinates; ``dense`` matters for the trajectory, the pose is one and the same."""
        root = self.trajectory(screen.flatten(2), dense=dense)
        at_once, kept = max(1, ATTENDED // self.receptive_field), root.shape[1]
        pieces = [
            self._pose(screen[:, start : min(start + at_once, kept) + self.receptive_field - 1])
            for start in range(0, kept, at_once)
        ]
        return Lifted(torch.cat(pieces, dim=1), root.unsqueeze(-2))

    def _pose(self, screen: Tensor) -> Tensor:
        """The poses of the frames that have a whole receptive field."""
        root = screen[..., :1, :]
        relative = MAGNIFIED * (screen - root)
        whole = torch.cat((relative[..., 1:, :].flatten(2), root.squeeze(-2)), dim=-1)
        around = gelu(self.embed_frame(whole))
        before, after = self.context
        shown = slice(before, screen.shape[1] - after)
        joints = self.embed_joints(torch.cat((relative, root.expand_as(relative)), dim=-1)[:, shown])
        frame, around = around[:, shown], self.around_norm(around)
        for block in self.blocks:
            frame, joints = block(frame, joints, around)
        pose = self.last(self.norm(joints))
        return pose - pose[..., :1, :]
