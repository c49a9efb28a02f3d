"""The pose dataset: recorded or virtual sequences of one person in one camera, concatenated in tensors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spgnet.data.input_space import pixels_to_input_space
from spgnet.datasets.takes import Take
from spgnet.errors import InputError, list_names
from spgnet.geometry.camera import Camera, concatenate_cameras
from spgnet.geometry.motion_clip import MotionClip
from spgnet.models.network import InputSpace
from spgnet.synthetic.detector_noise import DetectorNoise, simulate_detections


@dataclass(frozen=True)
class PoseDataset:
    """Sequences of 2D keypoints and 3D joints, each of one person in one camera, all concatenated.

    Args:
        joints: true joints in metres, in the camera frame of their sequence; NaN where they are not known.
        keypoints_2d: the 2D input in pixels: exact projections or (simulated) detections.
        cameras: the camera of each sequence, a batch of shape [sequences].
        lengths: frames of each sequence.
        fps: frames per second, of all sequences.
        names: the clip or take of each sequence.
        subjects: the person of each sequence.
        actions: the action of each sequence; results are grouped by it.
        unmeasured_joints: names of joints whose true positions are guesses and which are not evaluated; none
            where no true position is known.
        eval_mask: which frames are evaluated; None: all. The others are only input.
        visible: which joints were detected, so that the 2D input of the others was filled in; None: all.
        confidence: the detector's, of each joint of the 2D input; None if there is none.
    """

    joints: Float[Tensor, "frames 17 3"]
    keypoints_2d: Float[Tensor, "frames 17 2"]
    cameras: Camera
    lengths: Int[Tensor, " sequences"]
    fps: float
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    actions: tuple[str, ...]
    unmeasured_joints: tuple[str, ...] = ()
    eval_mask: Bool[Tensor, " frames"] | None = None
    visible: Bool[Tensor, "frames 17"] | None = None
    confidence: Float[Tensor, "frames 17"] | None = None

    def __post_init__(self) -> None:
        assert len(self.joints) == len(self.keypoints_2d) == int(self.lengths.sum())
        assert self.keypoints_2d.shape[-1] == 2
        assert self.eval_mask is None or len(self.eval_mask) == len(self.joints)
        assert self.visible is None or self.visible.shape == self.joints.shape[:2]
        assert self.confidence is None or self.confidence.shape == self.joints.shape[:2]
        assert len(self.lengths) == len(self.names) == len(self.subjects) == len(self.actions)

    def __len__(self) -> int:
        """The number of sequences."""
        return len(self.lengths)

    @property
    def starts(self) -> Int[Tensor, " sequences"]:
        """Index of each sequence's first frame."""
        return self.lengths.cumsum(0) - self.lengths

    def frames_of(self, sequence: int) -> slice:
        """The frames of a sequence."""
        start = int(self.starts[sequence])
        return slice(start, start + int(self.lengths[sequence]))

    def eval_frames(self) -> Bool[Tensor, " frames"]:
        """Whether each frame is evaluated."""
        if self.eval_mask is not None:
            return self.eval_mask
        return torch.ones(len(self.joints), dtype=torch.bool, device=self.joints.device)

    def visible_joints(self) -> Bool[Tensor, "frames 17"]:
        """Whether each joint was detected."""
        if self.visible is not None:
            return self.visible
        return torch.ones(self.joints.shape[:2], dtype=torch.bool, device=self.joints.device)

    def sequence_of_frames(self) -> Int[Tensor, " frames"]:
        """The number of the sequence that each frame belongs to."""
        return torch.arange(len(self), device=self.lengths.device).repeat_interleave(self.lengths)

    def inputs(
        self, input_space: InputSpace, *, with_confidence: bool = False
    ) -> Float[Tensor, "frames 17 channels"]:
        """The 2D input as a network takes it (``spgnet.models.network.InputSpace``).

        Args:
            input_space: its coordinates.
            with_confidence: add the detector's confidence as a last channel.

        Raises:
            InputError: the input space is rays, and the lens distortion cannot be inverted at some pixels; or
                there is no confidence.
        """
        cameras = self.cameras[self.sequence_of_frames()]
        inputs = pixels_to_input_space(self.keypoints_2d, cameras, input_space)
        channels = [inputs]
        if input_space == "rays":
            channels.append(self.visible_joints().unsqueeze(-1).to(inputs))
        if with_confidence:
            if self.confidence is None:
                raise InputError(
                    "the network takes the detector's confidence of every joint, which this 2D input lacks; "
                    "expected detections with a third column"
                )
            channels.append(self.confidence.unsqueeze(-1).to(inputs))
        return torch.cat(channels, dim=-1)

    def to(self, device: torch.device) -> PoseDataset:
        """The same dataset on another device."""
        return replace(
            self,
            joints=self.joints.to(device),
            keypoints_2d=self.keypoints_2d.to(device),
            cameras=self.cameras.to(device),
            lengths=self.lengths.to(device),
            eval_mask=None if self.eval_mask is None else self.eval_mask.to(device),
            visible=None if self.visible is None else self.visible.to(device),
            confidence=None if self.confidence is None else self.confidence.to(device),
        )

    def sha256(self) -> str:
        """A SHA-256 of the values, which two datasets share if they are the same to the bit."""
        cameras = self.cameras
        frames = (self.joints, self.keypoints_2d, self.lengths, self.eval_mask, self.visible, self.confidence)
        values = (*frames, *(getattr(cameras, each.name) for each in fields(cameras)))
        known = (self.fps, self.names, self.subjects, self.actions, self.unmeasured_joints)
        labels = repr((*known, cameras.convention, cameras.extrinsics))
        return tensors_sha256((each for each in values if isinstance(each, Tensor)), labels)

    def select(self, sequences: Sequence[int]) -> PoseDataset:
        """Some of the sequences, in the given order."""
        ranges = [self.frames_of(sequence) for sequence in sequences]
        frames = torch.cat([torch.arange(each.start, each.stop) for each in ranges])
        index = torch.tensor(sequences)
        return replace(
            self,
            joints=self.joints[frames],
            keypoints_2d=self.keypoints_2d[frames],
            cameras=self.cameras[index],
            lengths=self.lengths[index],
            names=tuple(self.names[sequence] for sequence in sequences),
            subjects=tuple(self.subjects[sequence] for sequence in sequences),
            actions=tuple(self.actions[sequence] for sequence in sequences),
            eval_mask=None if self.eval_mask is None else self.eval_mask[frames],
            visible=None if self.visible is None else self.visible[frames],
            confidence=None if self.confidence is None else self.confidence[frames],
        )

    def of(
        self, *, subjects: Sequence[str] = (), actions: Sequence[str] = (), but: Sequence[str] = ()
    ) -> PoseDataset:
        """The sequences of some subjects and actions (none named: of all), without those of other subjects.

        Raises:
            InputError: a subject or action is not there, or no sequence is left.
        """
        (chosen,) = choose_sequences((self,), subjects=subjects, actions=actions, but=but)
        if chosen is None:
            raise InputError("no sequence is left of the subjects and actions that are asked for")
        return chosen

    def __add__(self, other: PoseDataset) -> PoseDataset:
        """These sequences, then others of the same frame rate and joints."""
        assert (self.fps, self.unmeasured_joints) == (other.fps, other.unmeasured_joints)
        every_frame = self.eval_mask is None and other.eval_mask is None
        every_joint = self.visible is None and other.visible is None
        confidence = None
        if self.confidence is not None and other.confidence is not None:
            confidence = torch.cat((self.confidence, other.confidence))
        return replace(
            self,
            joints=torch.cat((self.joints, other.joints)),
            keypoints_2d=torch.cat((self.keypoints_2d, other.keypoints_2d)),
            cameras=concatenate_cameras((self.cameras, other.cameras)),
            lengths=torch.cat((self.lengths, other.lengths)),
            names=self.names + other.names,
            subjects=self.subjects + other.subjects,
            actions=self.actions + other.actions,
            eval_mask=None if every_frame else torch.cat((self.eval_frames(), other.eval_frames())),
            visible=None if every_joint else torch.cat((self.visible_joints(), other.visible_joints())),
            confidence=confidence,
        )

    def with_labels(self, share: float) -> tuple[PoseDataset, PoseDataset | None]:
        """The sequences of a share of the recordings, and those of the others without labels (joints NaN).

        A recording is a clip with all its pieces (``name#1``, ``name@250``) and cameras. Recordings are
        taken in an order that is random and always the same, so that a larger share holds a smaller one; at
        least one keeps its labels.
        """
        if share == 1:
            return self, None
        recording = [re.split("[#@]", name)[0] for name in self.names]
        recordings = list(dict.fromkeys(recording))
        order = torch.randperm(len(recordings), generator=torch.Generator().manual_seed(0)).tolist()
        kept = {recordings[number] for number in order[: max(1, round(share * len(recordings)))]}
        labelled = self.select([number for number, name in enumerate(recording) if name in kept])
        rest = [number for number, name in enumerate(recording) if name not in kept]
        if not rest:
            return labelled, None
        others = self.select(rest)
        return labelled, replace(
            others, joints=torch.full_like(others.joints, torch.nan), unmeasured_joints=()
        )


NEAREST = 0.3
"""Metres; people who come nearer to an image plane are not projected."""


def choose_sequences(
    datasets: Sequence[PoseDataset | None],
    *,
    subjects: Sequence[str] = (),
    actions: Sequence[str] = (),
    but: Sequence[str] = (),
) -> list[PoseDataset | None]:
    """The sequences of some subjects and actions from each dataset, as :meth:`PoseDataset.of` takes them.

    A name must be in one of the datasets. None stands for a dataset without a sequence.

    Raises:
        InputError: a subject or action is in none of them.
    """
    present = [each for each in datasets if each is not None]
    for what, asked, held in (
        ("subject", {*subjects, *but}, {name for each in present for name in each.subjects}),
        ("action", {*actions}, {name for each in present for name in each.actions}),
    ):
        if unknown := sorted(asked - held):
            raise InputError(f"no {what} {', '.join(unknown)}; there are {list_names(sorted(held), 20)}")
    chosen: list[PoseDataset | None] = []
    for dataset in datasets:
        if dataset is None:
            chosen.append(None)
            continue
        kept = [
            number
            for number, (subject, action) in enumerate(zip(dataset.subjects, dataset.actions, strict=True))
            if subject not in but
            and (not subjects or subject in subjects)
            and (not actions or action in actions)
        ]
        some = dataset.select(kept) if 0 < len(kept) < len(dataset) else dataset
        chosen.append(some if kept else None)
    return chosen


def comes_near(joints: Float[Tensor, "frames joints 3"], cameras: Camera) -> bool:
    """Whether a joint (world frame) comes too near the image plane of one of several cameras."""
    return bool((cameras[:, None].world_to_camera(joints)[..., 2] < NEAREST).any())


def tensors_sha256(tensors: Iterable[Tensor], labels: str) -> str:
    """A SHA-256 of tensors and of what they are called."""
    digest = hashlib.sha256(labels.encode())
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def project_clips(
    clips: Sequence[tuple[MotionClip, Camera]], *, noise: DetectorNoise | None = None, seed: int = 0
) -> PoseDataset:
    """Project clips into virtual cameras: a sequence for every clip and each of its cameras.

    Args:
        clips: each clip with its cameras (a batch of shape [cameras]).
        noise: simulated detector errors; without it, the 2D input is the exact projection.
        seed: of the noise.

    Raises:
        InputError: there is no clip, frame rates differ, a clip lacks joints, or a person comes within
            0.3 m of an image plane.
    """
    for clip, _ in clips:
        if clip.unmeasured_joints:
            raise InputError(
                f"clip {clip.name!r} lacks joints: {', '.join(clip.unmeasured_joints)} were not captured"
            )
    takes = [
        Take(clip.name, clip.subject, clip.action, clip.fps, cameras, clip.joints) for clip, cameras in clips
    ]
    return project_takes(takes, noise=noise, seed=seed)


def project_takes(
    takes: Sequence[Take], *, detector: str | None = None, noise: DetectorNoise | None = None, seed: int = 0
) -> PoseDataset:
    """The sequences of takes: one for every take and each of its cameras.

    Args:
        takes: performances with their cameras. Where the 3D is not known, joints are NaN.
        detector: the detector whose 2D joints are the input, with its confidence if all takes have it; if
            None, the 3D joints are projected.
        noise: simulated detector errors on projections; without it, they are exact.
        seed: of the noise.

    Raises:
        InputError: there is no take, frame rates, lens models or unmeasured joints differ, a take lacks the
            2D joints of the detector or, without one, 3D joints to project, or a person comes within 0.3 m of
            an image plane.
    """
    _check_alike(takes)
    _check_input(takes, detector)
    generator = torch.Generator().manual_seed(seed)
    joints, pixels, confidence = [], [], []
    for take in takes:
        for number in range(len(take.cameras.focal)):
            camera = take.cameras[number]
            joints.append(_camera_frame(take, camera))
            if detector is not None:
                detected = take.detections[detector][number]
                pixels.append(detected[..., :2])
                if detected.shape[-1] == 3:
                    confidence.append(detected[..., 2])
            elif noise is not None:
                exact = camera.camera_to_image(joints[-1])
                pixels.append(simulate_detections(exact, noise, fps=take.fps, generator=generator))
            else:
                pixels.append(camera.camera_to_image(joints[-1]))
    take_of = [take for take in takes for _ in range(len(take.cameras.focal))]
    return PoseDataset(
        joints=torch.cat(joints),
        keypoints_2d=torch.cat(pixels),
        cameras=concatenate_cameras([take.cameras for take in takes]),
        lengths=torch.tensor([len(take) for take in take_of]),
        fps=take_of[0].fps,
        names=tuple(take.name for take in take_of),
        subjects=tuple(take.subject for take in take_of),
        actions=tuple(take.action for take in take_of),
        unmeasured_joints=next((take.unmeasured_joints for take in takes if take.joints is not None), ()),
        eval_mask=_eval_mask(take_of),
        confidence=torch.cat(confidence) if confidence and len(confidence) == len(pixels) else None,
    )


def _eval_mask(takes: Sequence[Take]) -> Bool[Tensor, " frames"] | None:
    if all(take.eval_mask is None for take in takes):
        return None
    masks = [
        torch.ones(len(take), dtype=torch.bool) if take.eval_mask is None else take.eval_mask
        for take in takes
    ]
    return torch.cat(masks)


def _check_alike(takes: Sequence[Take]) -> None:
    if len({take.fps for take in takes}) != 1:
        raise InputError(
            f"a dataset needs clips of one frame rate, got {sorted({take.fps for take in takes})}"
        )
    if len({take.cameras.convention for take in takes}) != 1:
        raise InputError("a dataset needs cameras of one lens model")
    if len({take.unmeasured_joints for take in takes if take.joints is not None}) > 1:
        raise InputError("a dataset needs takes that lack the same joints")


def _check_input(takes: Sequence[Take], detector: str | None) -> None:
    for take in takes:
        if detector is None and take.joints is None:
            raise InputError(f"take {take.name!r} has no 3D joints to project; name a detector")
        if detector is not None and detector not in take.detections:
            raise InputError(f"take {take.name!r} has no 2D joints by {detector!r}")


def _camera_frame(take: Take, camera: Camera) -> Float[Tensor, "frames 17 3"]:
    if take.joints is None:
        return torch.full((len(take), 17, 3), torch.nan)
    joints = camera.world_to_camera(take.joints)
    if bool((joints[..., 2] < NEAREST).any()):
        raise InputError(f"clip {take.name!r} comes within 0.3 m of a camera's image plane")
    return joints
