"""Making items in a thread, ahead of whoever takes them, so that stages of work overlap."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")

MOST_AHEAD, MEMORY_AHEAD = 8, 64e6
"""How many frames are made ahead at most, and the bytes that they may take; two frames may always."""


@dataclass(frozen=True)
class _End:
    """The end of the items, and the error that is the reason, if any."""

    error: BaseException | None


def make_ahead(items: Iterable[Item], ahead: int) -> Generator[Item, None, None]:
    """The same items in the same order, each made in a thread before it is asked for.

    The iterable is used in that thread alone. An error in it is raised here, after the items before it.
    Closing the generator (an error or Ctrl-C where the items are used does so) stops the thread after the
    item that it is at, and closes the iterable if it can be closed.

    Args:
        items: taken one by one.
        ahead: how many items may be made and not yet taken, 1 or more.
    """
    made: SimpleQueue[Item | _End] = SimpleQueue()
    room, stopped = threading.Semaphore(ahead), threading.Event()
    thread = threading.Thread(target=_make, args=(items, made, room, stopped), daemon=True)
    thread.start()
    try:
        while not isinstance(item := _next_made(made), _End):
            room.release()
            yield item
            del item  # not kept while waiting for the next
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        room.release()
        thread.join()


def _make(
    items: Iterable[Item],
    made: SimpleQueue[Item | _End],
    room: threading.Semaphore,
    stopped: threading.Event,
) -> None:
    """What the thread does: wait for room, make an item, and so on."""
    error: BaseException | None = None
    try:
        iterator = iter(items)
        try:
            while room.acquire() and not stopped.is_set():
                item = next(iterator, made)  # the queue itself stands for no item
                if item is made:
                    break
                made.put(item)  # pyright: ignore[reportArgumentType]
                del item
        finally:
            if (close := getattr(iterator, "close", None)) is not None:
                close()
    except BaseException as raised:  # whatever it is, it belongs to whoever takes the items
        error = raised
    made.put(_End(error))


def _next_made(made: SimpleQueue[Item | _End]) -> Item | _End:
    while True:
        with suppress(Empty):
            return made.get(timeout=0.5)  # with a timeout, as an endless wait may block Ctrl-C


def frames_ahead(image_size: tuple[int, int]) -> int:
    """How many RGB frames of a size (width, height) are made ahead."""
    width, height = image_size
    return int(min(max(MEMORY_AHEAD / (3 * width * height), 2), MOST_AHEAD))
