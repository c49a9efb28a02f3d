"""The lifting networks and their configurations: SPGNet, its variant for any camera, and the baselines."""

from spgnet.errors import InputError
from spgnet.models.baselines.attention import Attention, AttentionConfig
from spgnet.models.baselines.martinez import Martinez, MartinezConfig
from spgnet.models.baselines.stgcn import STGCN, STGCNConfig
from spgnet.models.baselines.transformer import Transformer, TransformerConfig
from spgnet.models.baselines.videopose3d import VideoPose3D, VideoPose3DConfig
from spgnet.models.network import InputSpace, LiftedPose, LiftingNetwork, ModelConfig
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
    "register_network",
]

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


def register_network(config: type[ModelConfig], network: type[LiftingNetwork]) -> None:
    """Make a network of your own known: recipes, run folders and checkpoints can hold it from now on.

    Args:
        config: its configuration, a frozen dataclass; the network's name is that of this class in small
            letters, without ``Config`` at its end.
        network: is built from a configuration.

    Raises:
        InputError: a network of the package has this name.
    """
    name = model_name(config)
    if name in _OWN:
        raise InputError(f"the package has a network called {name!r}; call the configuration otherwise")
    NETWORKS[config], MODEL_CONFIGS[name] = network, config


_OWN = frozenset(MODEL_CONFIGS)
"""Names of the package's networks."""


def build_model(config: ModelConfig) -> LiftingNetwork:
    """The network that a configuration describes, with fresh weights."""
    return NETWORKS[type(config)](config)
