"""The data that the figures are drawn from."""

import pytest
import torch

from spgnet.reproduction.figure_data import errors_by_visibility


def test_hidden_joints_are_compared_with_the_same_joints_where_they_are_visible():
    true = torch.zeros(4, 17, 3)
    predicted = true.clone()
    hidden = torch.zeros(4, 17, dtype=torch.bool)
    hidden[:2, 3], hidden[0, 5] = True, True  # joint 3 twice, joint 5 once
    predicted[:2, 3, 0] = 0.03
    predicted[2:, 3, 0] = 0.01
    predicted[0, 5, 1] = 0.06
    predicted[1:, 5, 1] = 0.04
    predicted[:, 9, 2] = 5.0  # never hidden, and so without effect
    errors = errors_by_visibility(predicted, true, hidden)
    assert errors["hidden"] == pytest.approx((2 * 30 + 60) / 3, rel=1e-5)
    assert errors["seen"] == pytest.approx((2 * 10 + 40) / 3, rel=1e-5)
