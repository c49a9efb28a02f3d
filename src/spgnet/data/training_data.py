"""Training data: a dataset, or motion clips from which randomized samples are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.data.dataset import PoseDataset, tensors_sha256
from spgnet.data.samples import RandomizedSampler, Sampler, WindowSampler
from spgnet.errors import InputError
from spgnet.geometry.motion_clip import MotionClip
from spgnet.models.network import InputSpace
from spgnet.synthetic.domain_randomization import DomainRandomization


@dataclass(frozen=True)
class TrainingData:
    """A dataset or clips, and optionally an unlabelled dataset.

    Args:
        dataset: sequences with true joints.
        unlabelled: sequences whose 3D is not known (NaN) or not to be used.
        clips: motion in the world, of one frame rate, instead of a dataset.
        clip_weights: how often samples are drawn from each clip; None: as often as it has frames.
    """

    dataset: PoseDataset | None = None
    unlabelled: PoseDataset | None = None
    clips: Sequence[MotionClip] = ()
    clip_weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        assert (self.dataset is None) == bool(self.clips), "give either a dataset or clips"

    @property
    def frames(self) -> int:
        """Frames of the dataset or of the clips."""
        return sum(map(len, self.clips)) if self.dataset is None else len(self.dataset.joints)

    def sha256(self) -> str:
        """A SHA-256 of the values, which two training sets share if they are the same to the bit."""
        datasets = [each.sha256() for each in (self.dataset, self.unlabelled) if each is not None]
        labels = repr((datasets, [(clip.name, clip.fps) for clip in self.clips], self.clip_weights))
        return tensors_sha256((clip.joints for clip in self.clips), labels)

    @property
    def mean_root(self) -> Float[Tensor, " 3"]:
        """Mean root in the camera frame, in metres; for clips, which have no cameras yet, 4 m ahead."""
        if self.dataset is None:
            return torch.tensor([0.0, 0.0, 4.0])
        return self.dataset.joints[:, 0].mean(dim=0)

    def samplers(
        self,
        *,
        frames_per_sample: int,
        context: tuple[int, int],
        input_space: InputSpace,
        with_confidence: bool,
        flip: bool,
        mirrored_copies: bool,
        exact_target: bool = False,
        randomization: DomainRandomization,
        device: torch.device,
    ) -> tuple[Sampler, WindowSampler | None]:
        """The samplers of labelled and, if there are any, of unlabelled samples, on a device.

        Args:
            frames_per_sample: consecutive output frames of a sample.
            context: input frames before the first and after the last output frame.
            input_space: coordinates of the 2D input that the network takes.
            with_confidence: whether it takes the detector's confidence, too.
            flip: mirror a random half of the samples left to right.
            mirrored_copies: draw labelled windows as they are and mirrored, instead.
            exact_target: the 2D target of labelled samples of a dataset is the projection of the true pose,
                and not the 2D input.
            randomization: how far samples of clips are changed.
            device: the device of the batches.

        Raises:
            InputError: the data are too short for a sample, cannot be given in the input space, or have no
                confidence.
        """
        window = {"frames_per_sample": frames_per_sample, "context": context, "flip": flip}
        labelled, unlabelled = (
            None
            if each is None
            else WindowSampler(
                each.to(device),
                **window,
                input_space=input_space,
                with_confidence=with_confidence,
                mirrored_copies=mirrored_copies,
                exact_target=exact,
            )
            for each, exact in ((self.dataset, exact_target), (self.unlabelled, False))
        )
        if labelled is not None:
            return labelled, unlabelled
        if input_space != "rays":
            raise InputError(
                "randomized samples are rays, which this model does not take; train a RayNet on them"
            )
        sampler = RandomizedSampler(
            self.clips, **window, randomization=randomization, clip_weights=self.clip_weights
        )
        return sampler.to(device), unlabelled
