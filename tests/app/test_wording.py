"""Plain words: no option of the command line in them, and heights as people write them."""

from pathlib import Path

import pytest

from spgnet.app.jobs import Progress
from spgnet.app.server import _refuse_if_full
from spgnet.app.wording import (
    describe_error,
    parse_height,
    parse_number,
    parse_size,
    plain,
    stage_text,
    time_left,
)
from spgnet.errors import InputError
from spgnet.lifting.quality import FAULTS, describe_faults


@pytest.mark.parametrize("fault", FAULTS)
def test_no_warning_speaks_of_options_of_the_command_line(fault):
    assert "--" not in plain(describe_faults([fault])[0])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("walk.mp4: no good", "walk.mp4: no good"),
        ("/tmp/up/clip-a1/walk.mp4: no good", "walk.mp4: no good"),
        ("nobody is there (--force, force=True: lift all the same)", "Nobody is there"),
        ("give --fps and --image-size", "Give True frame rate and Size of the picture"),
        ("try --rotate 90", 'Choose "a quarter turn clockwise" under Turn the picture'),
    ],
)
def test_messages_name_the_controls_of_the_page(message, expected):
    assert plain(message, Path("/tmp/up")).replace("choose", "Choose") == expected


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("", None),
        ("  ", None),
        ("1.78", 1.78),
        ("1,78 m", 1.78),
        ("178", 1.78),
        ("178 cm", 1.78),
        ("5'10\"", 1.778),
        ("5 ft 10 in", 1.778),
        ("6'", 1.8288),
    ],
)
def test_heights_are_understood_as_people_write_them(text, metres):
    assert parse_height(text) == (metres if metres is None else pytest.approx(metres))


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_height, "tall", "the height is 'tall'"),
        (parse_height, "1.78 miles", "expected something like"),
        (parse_size, "big", "the size of the picture is 'big'"),
        (lambda text: parse_number(text, "the true frame rate"), "fast", "the true frame rate is 'fast'"),
    ],
)
def test_what_is_no_height_size_or_number_is_refused_in_one_line(parse, text, message):
    with pytest.raises(InputError, match=message):
        parse(text)


def test_sizes_and_numbers():
    assert (parse_size("1920 x 1080"), parse_size("1920×1080"), parse_size("")) == ((1920, 1080),) * 2 + (
        None,
    )
    assert (parse_number("239,76", ""), parse_number(" ", "")) == (239.76, None)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(28, "No space left on device", "/out/x"),
            "walk.mp4: the disk is full: make room and try again",
        ),
        (PermissionError(13, "Permission denied", "/out"), "walk.mp4: /out: permission denied"),
        (InputError("/tmp/up/clip-a1/walk.mp4: the file is empty"), "walk.mp4: the file is empty"),
        (OSError("a line\nand another"), "walk.mp4: a line and another"),
    ],
)
def test_errors_are_sentences_that_name_the_file(error, expected):
    assert describe_error(error, "walk.mp4", Path("/tmp/up")) == expected


def test_an_upload_for_which_there_is_no_room_is_refused_and_faults_of_ours_are_not_hidden():
    pytest.importorskip("fastapi", reason="FastAPI is not installed (extra app)")
    answer = _refuse_if_full(None, OSError(28, "No space left on device"))
    assert (answer.status_code, answer.body) == (507, b"The disk is full: make room and try again")
    with pytest.raises(FileNotFoundError):
        _refuse_if_full(None, FileNotFoundError(2, "No such file"))


def test_progress_is_said_in_words():
    assert stage_text(Progress("lifting (person 3)")) == "Working out the 3D motion (person 3)"
    assert stage_text(Progress("refining (2 of 9)")).endswith("the floor (2 of 9)")
    assert stage_text(Progress("lifting the folder", 2, 9)) == "Working on the folder: 2 of 9 done"
    assert "2 other videos" in stage_text(Progress("waiting", waiting=2))
    assert [time_left(seconds) for seconds in (None, 2.0, 42.0, 200.0)] == [
        "",
        "a few seconds left",
        "about 40 seconds left",
        "about 3 minutes left",
    ]
