"""Items made ahead in a thread: the same ones, no more than allowed, and no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from spgnet.video.ahead import frames_ahead, make_ahead

LONG = 20.0
"""Seconds after which what is waited for will not come."""


class Numbers:
    """Counts up; remembers how many numbers were made, and whether it was closed."""

    def __init__(self, count: int, fault: BaseException | None = None) -> None:
        self.count, self.fault, self.made, self.taken, self.most = count, fault, 0, 0, 0
        self.closed = False
        self.changed = threading.Condition()

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                with self.changed:
                    self.made += 1
                    self.most = max(self.most, self.made - self.taken)
                    self.changed.notify_all()
                yield number
            if self.fault is not None:
                raise self.fault
        finally:
            self.closed = True

    def wait_until_made(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.made >= count, timeout=LONG)

    def take(self) -> None:
        with self.changed:
            self.taken += 1


@pytest.mark.parametrize("ahead", [1, 2, 50])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_the_items_come_whole_and_in_order(count, ahead):
    assert list(make_ahead(range(count), ahead)) == list(range(count))


def test_nothing_stands_for_the_end():
    items = [None, (), StopIteration(), Exception()]
    assert list(make_ahead(items, 2)) == items


def test_items_are_made_before_they_are_asked_for_but_no_more_than_allowed():
    source = Numbers(30)
    for number in make_ahead(source, 4):
        source.take()
        source.wait_until_made(min(number + 1 + 4, 30))
    assert source.most <= 4 + 1, "those ahead, and the one that has just been handed over"


def test_stages_can_be_chained():
    squares = (number**2 for number in make_ahead(range(50), 3))
    assert list(make_ahead(squares, 3)) == [number**2 for number in range(50)]


def test_an_error_comes_after_the_items_before_it_and_shows_where_it_was_raised():
    items = make_ahead((1 // (3 - number) for number in range(9)), 4)
    assert [next(items) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError) as caught:
        next(items)
    assert caught.traceback[-1].name == "<genexpr>"


def test_a_source_that_cannot_be_opened_is_an_error_where_it_is_used():
    class Missing:
        def __iter__(self) -> Iterator[int]:
            raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError, match="gone"):
        next(make_ahead(Missing(), 2))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_whoever_stops_early_leaves_no_thread_and_closes_the_source(error):
    before = threading.active_count()
    source = Numbers(1000)
    items = make_ahead((number for number in make_ahead(source, 2)), 2)
    assert [next(items) for _ in range(5)] == list(range(5))
    with pytest.raises(error):
        items.throw(error)
    assert source.closed
    assert source.made <= 5 + 2 * (2 + 1)
    assert threading.active_count() == before


def test_no_thread_is_started_for_what_nobody_takes():
    before = threading.active_count()
    items = make_ahead(range(3), 2)
    assert threading.active_count() == before
    items.close()


def test_frames_ahead_are_few_if_they_are_large():
    assert frames_ahead((640, 480)) == 8
    assert frames_ahead((1920, 1080)) == 8
    assert frames_ahead((3840, 2160)) == 2
    assert frames_ahead((7680, 4320)) == 2
