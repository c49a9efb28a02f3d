"""A real browser without a window, and what it shows as arrays."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

_PLAIN = ("--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync")
_QUIET = ("--disable-background-networking", "--disable-component-update")
_SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")

_CONTROLS = 180
"""Height in pixels of viser's controls and messages."""


@contextmanager
def chromium(*, webgl: bool = False) -> Iterator[Any]:
    """A Chromium that is steered by playwright; skips the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for found in map(shutil.which, names) if found), None)
    if path is None:
        pytest.skip(f"there is no browser here: none of {', '.join(names)}")
    drawing = _SOFTWARE_GL if webgl else ("--disable-gpu",)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_PLAIN, *_QUIET, *drawing])
        yield browser
        browser.close()


def seen(target: Any) -> np.ndarray:
    """A screenshot of a page or of an element: bytes [height, width, 3]."""
    cv2 = pytest.importorskip("cv2")
    return cv2.imdecode(np.frombuffer(target.screenshot(), np.uint8), cv2.IMREAD_COLOR)


def check_access(page: Any, **rules: bool) -> None:
    """Make sure that axe finds no fault: names of controls, contrast, headings, sizes of targets, and more.

    Args:
        page: it must have been opened with ``bypass_csp``.
        rules: more of axe's rules to turn on, or rules to turn off, with _ for -.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    chosen = {name.replace("_", "-"): {"enabled": on} for name, on in rules.items()}
    found = axe.Axe().run(page, options={"iframes": False, "rules": chosen})
    assert len(found.response["passes"]) > 10
    assert not found.response["violations"], found.generate_report()


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the pixels that differ clearly."""
    return float((np.abs(a.astype(int) - b).max(axis=-1) > 24).mean())


def picture_when(page: Any, enough: Callable[[np.ndarray], bool], *, seconds: float = 40) -> np.ndarray:
    """What is below a page's controls, as soon as it is as wanted: a loaded machine draws slowly."""
    end = time.monotonic() + seconds
    while not enough(picture := seen(page)[_CONTROLS:]):
        assert time.monotonic() < end, "the page never looked as expected"
        page.wait_for_timeout(100)
    return picture
