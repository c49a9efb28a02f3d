"""How clearly joints are drawn."""

from dataclasses import replace

import numpy as np
import pytest
from filmed import people
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.lifting.motion import Motion
from spgnet.view.opacity import FAINTEST, joint_opacity

law = settings(max_examples=25)
MOTION = people(seconds=0.2)[0]
shares = st.floats(0, 1, width=32)
metres = st.floats(0, 2, width=32)


def of(confidence: float, uncertainty: float | None) -> Motion:
    """A motion of joints that are all alike."""
    confidences, uncertainties = (
        np.full((len(MOTION), 17), value, np.float32) for value in (confidence, uncertainty or 0)
    )
    return replace(MOTION, confidence=confidences, uncertainty=None if uncertainty is None else uncertainties)


def wrist(confidence: float, uncertainty: float | None) -> float:
    return float(joint_opacity(of(confidence, uncertainty))[0, 13])


@given(shares, metres)
@law
def test_a_joint_that_was_not_seen_is_faintest_and_one_that_is_certain_is_opaque(confidence, uncertainty):
    assert wrist(0, uncertainty) == wrist(0, None) == pytest.approx(FAINTEST)
    assert wrist(1, 0.03) == wrist(1, None) == 1
    assert wrist(1, 0.3) == pytest.approx(FAINTEST)
    assert FAINTEST <= wrist(confidence, uncertainty) <= wrist(confidence, None) <= 1


@given(shares, metres, st.floats(0, 0.5))
@law
def test_a_less_certain_joint_is_never_clearer(confidence, uncertainty, more):
    assert wrist(confidence, uncertainty + more) <= wrist(confidence, uncertainty)
    assert wrist(max(0, confidence - more), uncertainty) <= wrist(confidence, uncertainty)


def test_a_joint_fades_smoothly_as_its_uncertainty_grows():
    opacity = np.array([wrist(1, float(value)) for value in np.arange(0, 0.3, 0.001)])
    steps = np.abs(np.diff(opacity))
    assert steps.max() < 0.007
    assert np.abs(np.diff(steps)).max() < 0.0004
    assert opacity[150] == pytest.approx((1 + FAINTEST) / 2, abs=1e-4)  # half way at 15 cm


@given(metres)
@law
def test_an_uncertain_distance_from_the_camera_fades_nothing(uncertainty):
    unsure = of(1, 0.01)
    assert unsure.uncertainty is not None
    unsure.uncertainty[:, 0] = uncertainty
    assert (joint_opacity(unsure) == 1).all()
