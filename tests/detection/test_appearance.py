"""The colours of people's clothes."""

from __future__ import annotations

import numpy as np

from spgnet.detection.appearance import appearance, appearance_similarity


def test_people_are_known_by_their_colours_and_hidden_ones_by_nothing():
    image = np.zeros((200, 100, 3), np.uint8)
    image[:100], image[100:] = (250, 0, 0), (0, 0, 250)
    points = np.zeros((17, 3))
    points[[5, 6, 11, 12, 13, 14]] = [
        (70, 30, 1), (30, 30, 1), (65, 98, 1), (35, 98, 1), (65, 160, 1), (35, 160, 1)
    ]  # fmt: skip
    colours = appearance(image, points, "coco17")
    np.testing.assert_allclose(colours.reshape(3, 3)[[0, 2]] * 255, [(250, 0, 0), (0, 0, 250)])
    assert appearance_similarity(colours, colours) == 1
    assert appearance_similarity(colours, appearance(255 - image, points, "coco17")) < 0.01
    points[:, 2] = 0.1
    hidden = appearance(image, points, "coco17")
    assert np.isnan(hidden).all()
    assert appearance_similarity(colours, hidden) == 0.5


def test_somebody_outside_the_image_has_no_appearance():
    points = np.concatenate([np.full((17, 2), -50.0), np.ones((17, 1))], axis=1)
    assert np.isnan(appearance(np.zeros((20, 20, 3), np.uint8), points, "coco17")).all()
