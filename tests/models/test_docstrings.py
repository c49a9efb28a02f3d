"""The examples in the docstrings of the networks."""

import doctest

import pytest

from spgnet.models import rays, spgnet


@pytest.mark.parametrize("module", [spgnet, rays])
def test_the_examples_of_a_module_give_what_they_say(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
