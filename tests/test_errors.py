"""Messages of errors."""

from spgnet.errors import list_names


def test_names_for_a_message_are_on_one_line():
    assert list_names(["Directions", "E\nating", "\x00"]) == "Directions, E ating, \\x00"
    assert list_names([str(number) for number in range(9)]) == "0, 1, 2, 3, 4, 5 and 3 more"
