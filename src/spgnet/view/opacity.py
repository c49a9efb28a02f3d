"""How clearly each joint is drawn: faint where it was not seen or where its position is uncertain."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spgnet.lifting.motion import Motion

FAINTEST = 0.24
"""Opacity of a joint of which nothing is known."""
_UNSEEN, _SEEN = 0.1, 0.5
"""Confidences up to and from which a joint is drawn as not seen and as seen."""
_CERTAIN, _UNCERTAIN = 0.05, 0.25
"""Uncertainties in metres up to and from which a joint is drawn in full and faintest."""


def joint_opacity(motion: Motion) -> Float[np.ndarray, "frames joints"]:
    """Opacity of each joint, from ``FAINTEST`` to 1; a bone has that of its fainter end.

    It is the lower one of two: that of the detection rises with the confidence; that of the position falls
    with the uncertainty, in an S-shaped curve from 5 to 25 cm. The uncertainty of the pelvis does not count:
    it is about the distance of the whole body from the camera, and the other joints' are relative to the
    pelvis. ``jointOpacity`` of page_data.js is the same function.
    """
    clear = _ramp(motion.confidence, _UNSEEN, _SEEN)
    if motion.uncertainty is not None:
        unsure = _ramp(motion.uncertainty, _CERTAIN, _UNCERTAIN)
        unsure[:, 0] = 0
        clear = np.minimum(clear, 1 - unsure**2 * (3 - 2 * unsure))
    return FAINTEST + (1 - FAINTEST) * clear


def _ramp(
    values: Float[np.ndarray, "frames joints"], low: float, high: float
) -> Float[np.ndarray, "frames joints"]:
    return ((values.astype(np.float64) - low) / (high - low)).clip(0, 1)
