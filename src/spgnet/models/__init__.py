"""The lifting networks and their configurations: SPGNet, its variant for any camera, and the baselines."""

from spgnet.models.baselines.attention import Attention, AttentionConfig
from spgnet.models.baselines.martinez import Martinez, MartinezConfig
from spgnet.models.baselines.stgcn import STGCN, STGCNConfig
from spgnet.models.baselines.transformer import Transformer, TransformerConfig
from spgnet.models.baselines.videopose3d import VideoPose3D, VideoPose3DConfig
from spgnet.models.network import InputSpace, LiftedPose, LiftingNetwork
from spgnet.models.rays import RayNet, RayNetConfig
from spgnet.models.spgnet import SPGNet, SPGNetConfig

__all__ = [
    "MODEL_CONFIGS",
    "STGCN",
    "Attention",
    "AttentionConfig",
    "InputSpace",
    "LiftedPose",
    "LiftingNetwork",
    "Martinez",
    "MartinezConfig",
    "ModelConfig",
    "RayNet",
    "RayNetConfig",
    "SPGNet",
    "SPGNetConfig",
    "STGCNConfig",
    "Transformer",
    "TransformerConfig",
    "VideoPose3D",
    "VideoPose3DConfig",
    "build_model",
    "model_name",
]

ModelConfig = (
    SPGNetConfig
    | RayNetConfig
    | MartinezConfig
    | STGCNConfig
    | AttentionConfig
    | TransformerConfig
    | VideoPose3DConfig
)
"""The configuration of any network. A new network is added here and to the table below."""

NETWORKS: dict[type, type] = {
    SPGNetConfig: SPGNet,
    RayNetConfig: RayNet,
    MartinezConfig: Martinez,
    STGCNConfig: STGCN,
    AttentionConfig: Attention,
    TransformerConfig: Transformer,
    VideoPose3DConfig: VideoPose3D,
}
"""The network of each configuration."""


def model_name(config: type) -> str:
    """The name of a kind of network in files: that of its configuration's class, shortened."""
    return config.__name__.removesuffix("Config").lower()


MODEL_CONFIGS = {model_name(config): config for config in NETWORKS}
"""The configuration classes by the names of :func:`model_name`."""


def build_model(config: ModelConfig) -> LiftingNetwork:
    """The network that a configuration describes, with fresh weights."""
    return NETWORKS[type(config)](config)
