"""The overlay's filmed picture: the 2D detections, and the lifted motion re-projected into it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float

from spgnet.lifting.motion import Motion
from spgnet.view.drawing import Picture, draw_circle, draw_lines, draw_text, text_width, translucent
from spgnet.view.opacity import joint_opacity
from spgnet.view.palette import OVERLAY, Color
from spgnet.view.panel import BONES, JOINT_COLORS, NIGHT, WHITE, draw_number

DETECTED: Color = WHITE
"""Of the 2D detections."""
NEAREST = 0.05
"""Joints nearer to the camera's plane than this, in metres, or behind it, are not in the picture."""
LIMB = 0.035
"""Thickness of a re-projected limb in metres; in pixels it has limits."""
SURE = 0.6
"""Detections are drawn in full from this confidence on."""


class ReprojectionPicture:
    """Draws the people into the filmed picture; their pixels in all frames are computed at once.

    Args:
        motions: the people.
        present: the frames in which each person is drawn.
        size: width and height of the picture that is drawn on, in pixels.
        unit: pixels here for one of a frame that is 1920 pixels wide.
    """

    def __init__(
        self,
        motions: Sequence[Motion],
        present: Bool[np.ndarray, "people frames"],
        size: tuple[int, int],
        unit: float,
    ) -> None:
        self.motions, self.present, self.unit = motions, present, unit
        self.bones = [BONES[: len(motion.skeleton.bones)] for motion in motions]
        scale = np.array(size) / motions[0].camera.image_size.numpy()
        reprojected, self.in_front = zip(*(_reproject(motion) for motion in motions), strict=True)
        self.reprojected = [(pixels + 0.5) * scale - 0.5 for pixels in reprojected]
        self.detected = [(motion.pixels + 0.5) * scale - 0.5 for motion in motions]
        self.opacity = [_opacity(motion.confidence) for motion in motions]
        # In four steps, as all bones of one opacity are drawn at once.
        self.reprojected_opacity = [np.ceil(4 * joint_opacity(motion)) / 4 for motion in motions]
        focal = float(motions[0].camera.focal[0]) * scale[0]
        metre = [focal / motion.joints[:, 0, 2].clip(0.3) for motion in motions]
        self.width = [(LIMB * pixels).clip(2 * unit, 9 * unit) for pixels in metre]

    def draw(self, picture: Picture, frame: int) -> None:
        """Draw the re-projected bodies, the detections, the people's numbers, and the legend."""
        people = [person for person in range(len(self.motions)) if self.present[person, frame]]
        for person in people:
            self._draw_reprojected(picture, frame, person)
        for person in people:
            self._draw_detected(picture, frame, person)
        if len(self.motions) > 1:
            for person in people:
                x, y = self.reprojected[person][frame, 10]
                if self.in_front[person][frame, 10]:
                    track = self.motions[person].track
                    draw_number(picture, track, (x, y), OVERLAY.person(person), self.unit)
        _draw_legend(picture, self.unit)

    def _draw_reprojected(self, picture: Picture, frame: int, person: int) -> None:
        """The lifted joints as the camera sees them: thick lines in the colors of the body's sides.

        Bones that were not seen or are uncertain are fainter, and behind the others.
        """
        pixels, in_front = self.reprojected[person][frame], self.in_front[person][frame]
        bones = self.bones[person]
        visible = bones[in_front[bones].all(axis=-1)]
        opacity = self.reprojected_opacity[person][frame][visible].min(axis=-1)
        width = float(self.width[person][frame])
        for level in np.unique(opacity):
            bones = visible[opacity == level]
            with translucent(picture, pixels[bones], 2 * width, 0.8 * float(level)) as (part, corner):
                ends = pixels[bones] - corner
                draw_lines(part, ends, NIGHT, width + 2.5 * self.unit)
                for bone, line in zip(bones, ends, strict=True):
                    draw_lines(part, line[None], JOINT_COLORS[bone[1]], width)

    def _draw_detected(self, picture: Picture, frame: int, person: int) -> None:
        """The 2D detections: thin lines and dots, the fainter the less sure the detection was."""
        pixels, opacity = self.detected[person][frame], self.opacity[person][frame]
        bones, width = self.bones[person], float(self.width[person][frame])
        of_bones = opacity[bones].min(axis=-1)
        radius = max(0.45 * width, 1.8 * self.unit)
        for level in np.unique(opacity):
            dots, ends = pixels[opacity == level], pixels[bones[of_bones == level]]
            enclosed = np.concatenate((dots, ends.reshape(-1, 2)))
            with translucent(picture, enclosed, 2 * radius + 2, 0.2 + 0.8 * float(level)) as (part, corner):
                draw_lines(part, ends - corner, DETECTED, 0.22 * width)
                for dot in dots - corner:
                    draw_circle(part, dot, radius + self.unit, NIGHT)
                    draw_circle(part, dot, radius, DETECTED)


def _reproject(
    motion: Motion,
) -> tuple[Float[np.ndarray, "frames joints 2"], Bool[np.ndarray, "frames joints"]]:
    """The joints in the image, in pixels, and whether they are in front of the camera.

    Far outside of the image a lens's polynomials fold back into it; joints there are put where they were
    without distortion.
    """
    camera = motion.camera.to(torch.float64)
    joints = torch.from_numpy(motion.joints.astype(np.float64))
    pixels, undistorted = camera.camera_to_image(joints), camera.without_distortion().camera_to_image(joints)
    if camera.convention == "fisheye":  # its image is wider than any pinhole's
        return pixels.numpy(), motion.joints[..., 2] > NEAREST
    outside = (undistorted / camera.image_size - 0.5).abs().amax(dim=-1, keepdim=True) > 1
    pixels = torch.where(outside, undistorted, pixels)
    return pixels.numpy(), motion.joints[..., 2] > NEAREST


def _opacity(confidence: Float[np.ndarray, "frames joints"]) -> Float[np.ndarray, "frames joints"]:
    """How clearly a detection is drawn, in four steps from 0 to 1."""
    return np.ceil(3 * (confidence / SURE).clip(0, 1)) / 3


def _draw_legend(picture: Picture, unit: float) -> None:
    """What the lines over the filmed picture are."""
    rows = ("2D, detected", "3D, re-projected")
    height, margin = 12 * unit, 16 * unit
    right = margin + 56 * unit + max(text_width(row, height) for row in rows) + 14 * unit
    bottom = picture.shape[0] - margin
    top = bottom - 64 * unit
    box = np.array([[margin, top], [right, bottom]])
    with translucent(picture, box, 0.0, 0.62) as (part, _):
        part[:] = NIGHT
    for row, name in enumerate(rows):
        y = top + (20 + 24 * row) * unit
        _draw_sample(picture, margin + 12 * unit, y, row == 0, unit)
        draw_text(picture, name, (margin + 56 * unit, y), height, DETECTED, anchor=(0.0, 0.5))


def _draw_sample(picture: Picture, x: float, y: float, detected: bool, unit: float) -> None:
    """A piece of line as it is drawn for the detections or for the re-projection."""
    left, middle, right = x, x + 16 * unit, x + 32 * unit
    if detected:
        draw_lines(picture, np.array([[[left, y], [right, y]]]), DETECTED, 1.5 * unit)
        for end in (left, right):
            draw_circle(picture, np.array([end, y]), 3.5 * unit, DETECTED)
        return
    draw_lines(picture, np.array([[[left, y], [middle, y]]]), OVERLAY.right, 6 * unit)
    draw_lines(picture, np.array([[[middle, y], [right, y]]]), OVERLAY.left, 6 * unit)
