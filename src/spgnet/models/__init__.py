"""The lifting networks and their configurations."""

from spgnet.models.baselines.attention import Attention, AttentionConfig
from spgnet.models.baselines.martinez import Martinez, MartinezConfig
from spgnet.models.baselines.stgcn import STGCN, STGCNConfig
from spgnet.models.baselines.transformer import Transformer, TransformerConfig
from spgnet.models.baselines.videopose3d import VideoPose3D, VideoPose3DConfig
from spgnet.models.network import Lifted, LiftingNetwork
from spgnet.models.rays import RayNet, RayNetConfig
from spgnet.models.spgnet import SPGNet, SPGNetConfig

__all__ = [
    "KINDS",
    "STGCN",
    "Attention",
    "AttentionConfig",
    "Lifted",
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
    "kind_of",
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
"""Any network's configuration: a new network goes in here and into the table below."""

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
    """What files call a kind of network: the name of its configuration, shortened."""
    return config.__name__.removesuffix("Config").lower()


MODEL_CONFIGS = {model_name(config): config for config in NETWORKS}
"""The configurations by the names that files call them."""


def build_model(config: ModelConfig) -> LiftingNetwork:
    """The network that a configuration describes, with fresh weights."""
    return NETWORKS[type(config)](config)
