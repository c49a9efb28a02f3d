"""The lifting networks and their configurations."""

from spgnet.models.martinez import Martinez, MartinezConfig
from spgnet.models.network import Lifted, LiftingNetwork
from spgnet.models.rays import RayNet, RayNetConfig
from spgnet.models.spgnet import SPGNet, SPGNetConfig

__all__ = [
    "Lifted",
    "LiftingNetwork",
    "Martinez",
    "MartinezConfig",
    "ModelConfig",
    "RayNet",
    "RayNetConfig",
    "SPGNet",
    "SPGNetConfig",
    "build_model",
]

ModelConfig = SPGNetConfig | RayNetConfig | MartinezConfig


def build_model(config: ModelConfig) -> LiftingNetwork:
    """The network that a configuration describes, with fresh weights."""
    if isinstance(config, RayNetConfig):
        return RayNet(config)
    return SPGNet(config) if isinstance(config, SPGNetConfig) else Martinez(config)
