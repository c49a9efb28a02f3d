"""Frame numbers of images and files, from their names where these agree on which number it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from spgnet.errors import InputError, list_names

_LONGEST = 15
"""Digits of the longest number that is taken for a frame's; a longer one is not exact in floating point."""


def frame_numbers(names: Sequence[str], what: str) -> tuple[list[int], str]:
    """The frame number of each of the names of images or files, and a remark if the names do not tell it.

    They tell it if they differ in one number only, each has another one, and the numbers count frames
    (:func:`span_error`). Otherwise the frames are counted from 0, in the order in which the names are given.

    Args:
        names: one for each frame, all different.
        what: what they are, for the remark, such as "image_id".
    """
    if len(names) < 2:
        return list(range(len(names))), ""
    texts = {tuple(re.split(r"[0-9]+", name)) for name in names}
    columns = (
        list(zip(*(re.findall(r"[0-9]+", name) for name in names), strict=True)) if len(texts) == 1 else []
    )
    varying = [column for column in columns if len(set(column)) > 1]
    if len(varying) == 1 and max(map(len, varying[0])) <= _LONGEST:
        numbers = [int(digits) for digits in varying[0]]
        if len(set(numbers)) == len(numbers) and not span_error(numbers):
            return numbers, ""
    if len(texts) > 1:
        why = "the names differ in more than a number"
    elif len(varying) > 1:
        why = f"{len(varying)} numbers vary"
    else:
        why = "the numbers do not count frames"
    example = names[0][:60]
    return (
        list(range(len(names))),
        f"the frames count in the order of their {what}: {why} ({example!r}, ...)",
    )


def counted_or_ordered(numbers: Sequence[int], what: str) -> tuple[list[int], str]:
    """Frame numbers from numbers that differ: these if they count frames, else their ranks; and a remark."""
    if len(numbers) < 2 or not span_error(numbers):
        return list(numbers), ""
    order = {number: index for index, number in enumerate(sorted(numbers))}
    return (
        [order[number] for number in numbers],
        f"the frames count in the order of their {what}, which is {min(numbers)} to {max(numbers)} "
        f"for {len(numbers)} frames",
    )


def frame_span(numbers: Iterable[int]) -> tuple[int, int]:
    """First frame number, and the number of frames from the first to the last.

    Raises:
        InputError: a number is negative, or the gaps are too large for frame numbers.
    """
    known = sorted(set(numbers))
    if error := span_error(known):
        raise InputError(error)
    return known[0], known[-1] - known[0] + 1


def span_error(numbers: Sequence[int]) -> str:
    """Why numbers do not count frames, as a message; empty if they do."""
    first, last, count = min(numbers), max(numbers), len(set(numbers))
    if first < 0 or last - first + 1 > 1000 + 100 * count:
        return f"{count} frames have numbers from {first} to {last}, expected numbers that count frames"
    return ""


def refuse_several_videos(names: Sequence[str]) -> None:
    """Refuse the names of files of several videos.

    Raises:
        InputError: they are.
    """
    if series := several_videos(names):
        raise InputError(f"files of several videos: {list_names(series)}; expected those of one in a folder")


def several_videos(names: Sequence[str]) -> list[str]:
    """What the names of files begin with, if they are of several videos: the same numbers, and other text."""
    series: dict[str, set[str]] = {}
    for name in names:
        digits = re.findall(r"[0-9]+", name)
        if digits:
            series.setdefault(name[: name.rfind(digits[-1])], set()).add(digits[-1])
    long = {text: numbers for text, numbers in series.items() if len(numbers) > 1}
    if any(not one.isdisjoint(other) for one, other in pairwise(long.values())):
        return sorted(long)
    return []
