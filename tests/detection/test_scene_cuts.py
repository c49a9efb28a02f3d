"""Cuts are found between pictures of other scenes, and nowhere else."""

import numpy as np
import pytest

from spgnet.detection.scene_cuts import SceneCuts


def scene(seed: int, height: int = 90, width: int = 160) -> np.ndarray:
    """A picture of blots of colour, twice as wide and high as it is shown."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.float64)
    picture = np.kron(coarse, np.ones((height // 6, width // 8, 1)))
    return picture.clip(0, 255).astype(np.uint8)


def cuts(pictures: list[np.ndarray]) -> list[int]:
    found = SceneCuts()
    return [index for index, picture in enumerate(pictures) if found.is_cut(picture)]


@pytest.mark.parametrize("seed", range(10))
def test_another_scene_is_a_cut_and_the_same_one_with_noise_is_none(seed):
    rng = np.random.default_rng(seed)
    pictures = [scene(2 * seed)] * 5 + [scene(2 * seed + 1)] * 5
    noisy = [(each + rng.normal(0, 20, each.shape)).clip(0, 255).astype(np.uint8) for each in pictures]
    assert cuts(noisy) == [5]


def test_a_flash_and_a_darker_exposure_are_no_cuts():
    picture = scene(0).astype(np.float64)
    levels = [1.0, 1.0, 1.6, 1.0, 0.8, 0.6, 0.4]
    assert cuts([(level * picture).clip(0, 255).astype(np.uint8) for level in levels]) == []


def test_a_fast_pan_is_no_cut():
    wide = scene(1)
    assert cuts([wide[:90, shift : shift + 160] for shift in range(0, 160, 5)]) == []


def test_somebody_who_appears_before_a_plain_wall_is_no_cut():
    wall = np.full((240, 640, 3), 120, np.uint8)
    person = wall.copy()
    person[60:180, 300:360] = 200, 60, 60
    assert cuts([wall, person, wall]) == []


def test_a_picture_of_few_pixels_has_its_colours():
    dark, bright = np.zeros((3, 2, 3), np.uint8), np.full((3, 2, 3), 255, np.uint8)
    bright[0] = 0
    assert cuts([dark, dark, bright]) == [2]


def test_plain_pictures_that_grow_lighter_are_one_scene():
    assert cuts([np.full((120, 160, 3), shade, np.uint8) for shade in (0, 60, 120)]) == []
