"""A small transformer over time and over joints, made to learn much in little time on a CPU.

It is of the family of MotionBERT and MotionAGFormer, which alternate attention between frames and attention
between the joints of a frame. Those lift many frames at once, and every joint of every frame is a token all
the way through. Here only the output frame goes through the blocks: as one wide frame token, which attends to
the frames around it, and as 17 narrow joint tokens, which attend to each other. In every block the frame
token is updated from the joint tokens, and these from the frame token. The frames around it are attended to
as they were embedded, so that

- a training sample costs little more than its output frames, and can be a few frames out of many clips;
- the receptive field is J whatever the number of blocks, and no frame's result depends on the chunk it is
  lifted in.

The input is the joints relative to the pelvis, as the pose is in the output, and the pelvis. The trajectory
has VideoPose3D's encoder, as in SPGNet.

It is not shown that attention makes it accurate: in single short runs of prototypes on the open benchmark's
validation split, one without any attention (only the frame token's feed-forward path) was as accurate.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.network import LiftedPose, LiftingNetwork, ModelConfig
from spgnet.models.temporal import ReceptiveField, TemporalEncoder

INPUT_SCALE = 3.0
"""Factor of 2D joints relative to the pelvis: a person fills about a third of an image."""
MAX_ATTENDED_FRAMES = 8192
"""Most output frames computed at once, times the frames that each attends to; it bounds the memory."""


@dataclass(frozen=True)
class TransformerConfig(ReceptiveField, ModelConfig):
    """The transformer; as it stands, a size for a CPU.

    Raises:
        InputError: a filter width is not odd and positive, or another value is out of its range.
    """

    filter_widths: tuple[int, ...] = (3, 3)
    """Frames per filter of each layer of the trajectory encoder; their product is the receptive field J, all
    of which the frame token attends to."""
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
        errors = [
            f"{name} must be positive, got {getattr(self, name)}"
            for name in (*sizes, "trajectory_channels")
            if getattr(self, name) < 1
        ]
        errors += self.filter_errors()
        if not errors:
            for token in ("frame", "joint"):
                width, heads = getattr(self, f"{token}_channels"), getattr(self, f"{token}_heads")
                if width % heads:
                    errors.append(
                        f"{token}_channels must be a multiple of {token}_heads, got {width}, {heads}"
                    )
        if not 0 <= self.trajectory_dropout < 1:
            errors.append(f"trajectory_dropout must be in [0, 1), got {self.trajectory_dropout}")
        if errors:
            raise InputError("; ".join(errors))


class JointwiseLinear(nn.Module):
    """A separate linear map for every joint."""

    def __init__(self, inputs: int, outputs: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(std * torch.randn(len(HUMAN36M), inputs, outputs))
        self.bias = nn.Parameter(std * torch.randn(len(HUMAN36M), outputs))

    def forward(self, x: Float[Tensor, "batch frames 17 inputs"]) -> Float[Tensor, "batch frames 17 outputs"]:
        """Map the features of each joint."""
        return torch.einsum("btji,jio->btjo", x, self.weight) + self.bias


class FeedForward(nn.Sequential):
    """Layer normalization, and a perceptron whose hidden layer is twice as wide."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.GELU(),
            nn.Linear(2 * channels, channels),
        )


class TemporalAttention(nn.Module):
    """Attention of the frame token to the J frames around it; keys and values have a position embedding."""

    def __init__(self, channels: int, heads: int, frames: int) -> None:
        super().__init__()
        self.heads, self.frames = heads, frames
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key_value = nn.Linear(channels, 2 * channels, bias=False)
        self.position_embedding = nn.Parameter(0.1 * torch.randn(frames, 2 * channels))
        self.out = nn.Linear(channels, channels)

    def forward(
        self, token: Float[Tensor, "batch kept channels"], embedded: Float[Tensor, "batch frames channels"]
    ) -> Float[Tensor, "batch kept channels"]:
        """The result for each frame token, which attends to its own J of the embedded frames."""
        windows = self.key_value(embedded).unfold(1, self.frames, 1).mT  # a view: [b, t, J, 2 c]
        heads = (windows + self.position_embedding).unflatten(-1, (2, self.heads, -1))
        key, value = heads.permute(3, 0, 1, 4, 2, 5)  # each [b, t, heads, J, c / heads]
        query = self.query(self.norm(token)).unflatten(-1, (self.heads, 1, -1))
        return self.out(attention(query, key, value).flatten(2))


class JointAttention(nn.Module):
    """Attention of the joint tokens of a frame to each other, with a learnt bias for each pair of joints."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels, bias=False)
        self.pair_bias = nn.Parameter(torch.zeros(heads, len(HUMAN36M), len(HUMAN36M)))
        self.out = nn.Linear(channels, channels)

    def forward(
        self, tokens: Float[Tensor, "batch kept 17 channels"]
    ) -> Float[Tensor, "batch kept 17 channels"]:
        """The result for each joint token, which attends to those of its own frame."""
        heads = self.query_key_value(self.norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = heads.permute(3, 0, 1, 4, 2, 5)  # each [b, t, heads, 17, c / heads]
        return self.out(attention(query, key, value, self.pair_bias).transpose(2, 3).flatten(3))


def attention(
    query: Float[Tensor, "*batch queries e"],
    key: Float[Tensor, "*batch keys e"],
    value: Float[Tensor, "*batch keys e"],
    bias: Float[Tensor, "heads queries keys"] | None = None,
) -> Float[Tensor, "*batch queries e"]:
    """Scaled dot-product attention; PyTorch's own is no faster on a CPU for so few keys."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    weights = (scores if bias is None else scores + bias).softmax(dim=-1)
    return weights.to(value.dtype) @ value


class Block(nn.Module):
    """Updates the frame token from the joints and over time, then the joints from it and from each other."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        frame, joint = config.frame_channels, config.joint_channels
        self.joint_norm, self.frame_norm = nn.LayerNorm(joint), nn.LayerNorm(frame)
        self.to_frame = nn.Linear(len(HUMAN36M) * joint, frame)
        self.to_joints = nn.Linear(frame, len(HUMAN36M) * joint)
        self.temporal_attention = TemporalAttention(frame, config.frame_heads, config.receptive_field)
        self.joint_attention = JointAttention(joint, config.joint_heads)
        self.frame_mlp, self.joint_mlp = FeedForward(frame), FeedForward(joint)

    def forward(
        self,
        frame: Float[Tensor, "batch kept c"],
        joints: Float[Tensor, "batch kept 17 d"],
        embedded: Float[Tensor, "batch frames c"],
    ) -> tuple[Float[Tensor, "batch kept c"], Float[Tensor, "batch kept 17 d"]]:
        """Update the frame token and the joint tokens of each output frame.

        Args:
            frame: the frame tokens.
            joints: the joint tokens.
            embedded: all input frames as they were embedded.
        """
        frame = frame + self.to_frame(self.joint_norm(joints).flatten(2))
        frame = frame + self.temporal_attention(frame, embedded)
        frame = frame + self.frame_mlp(frame)
        joints = joints + self.to_joints(self.frame_norm(frame)).unflatten(-1, joints.shape[2:])
        joints = joints + self.joint_attention(joints)
        return frame, joints + self.joint_mlp(joints)


class Transformer(LiftingNetwork):
    """A transformer for the pose and VideoPose3D's encoder for the trajectory, on screen coordinates.

    See :class:`TransformerConfig` for its size and :class:`LiftingNetwork` for how it is called.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.receptive_field, self.context = config.receptive_field, config.context
        frame, joint = config.frame_channels, config.joint_channels
        self.embed_frame = nn.Linear(2 * len(HUMAN36M), frame)
        self.embedding_norm = nn.LayerNorm(frame)
        self.embed_joints = JointwiseLinear(4, joint, std=0.5)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(joint)
        self.head = JointwiseLinear(joint, 3, std=0.02)
        self.trajectory = TemporalEncoder(
            2 * len(HUMAN36M),
            3,
            filter_widths=config.filter_widths,
            channels=config.trajectory_channels,
            dropout=config.trajectory_dropout,
            causal=config.causal,
        )

    def forward(self, keypoints_2d: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> LiftedPose:
        """Lift screen coordinates; ``dense`` concerns the trajectory only, the pose is always dense."""
        root = self.trajectory(keypoints_2d.flatten(2), dense=dense)
        chunk, kept = max(1, MAX_ATTENDED_FRAMES // self.receptive_field), root.shape[1]
        pieces = [
            self._pose(keypoints_2d[:, start : min(start + chunk, kept) + self.receptive_field - 1])
            for start in range(0, kept, chunk)
        ]
        return LiftedPose(torch.cat(pieces, dim=1), root.unsqueeze(-2))

    def _pose(self, keypoints_2d: Tensor) -> Tensor:
        """The poses of the frames that have a whole receptive field."""
        root = keypoints_2d[..., :1, :]
        relative = INPUT_SCALE * (keypoints_2d - root)
        features = torch.cat((relative[..., 1:, :].flatten(2), root.squeeze(-2)), dim=-1)
        embedded = gelu(self.embed_frame(features))
        before, after = self.context
        output = slice(before, keypoints_2d.shape[1] - after)
        joints = self.embed_joints(torch.cat((relative, root.expand_as(relative)), dim=-1)[:, output])
        frame, embedded = embedded[:, output], self.embedding_norm(embedded)
        for block in self.blocks:
            frame, joints = block(frame, joints, embedded)
        pose = self.head(self.norm(joints))
        return pose - pose[..., :1, :]
