"""Write docs/page.jpg and docs/overlay.jpg: the page and the overlay of a video, each at one moment.

    python scripts/page_pictures.py sports2d_demo.mp4

Needs Chromium, and the extra `test`. VIDEO should be one whose licence lets its frames be shown (NOTICE).
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image
from playwright.sync_api import sync_playwright

import spgnet
from spgnet.video import open_frames
from spgnet.view.overlay import Overlay, OverlayStyle
from spgnet.view.page import video_images, write_page

DOCS = Path(__file__).resolve().parents[1] / "docs"
BROWSER = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]


@dataclass(frozen=True)
class Options:
    """What to show."""

    video: tyro.conf.Positional[Path]
    """The video."""
    detector: Path | None = None
    """Folder of the detector's two ONNX files, instead of fetching them once."""
    page_frame: int = 150
    """The frame that the page shows."""
    overlay_frame: int = 90
    """The frame of the overlay."""


def main(options: Options) -> None:
    """Lift everybody in the video and write both pictures."""
    motions = spgnet.lift(options.video, person="all", detector=options.detector)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        write_page(
            page,
            motions,
            title=options.video.name,
            images=video_images(open_frames(str(options.video)), motions),
        )
        photograph(page, options.page_frame, DOCS / "page.jpg")
    overlay = Overlay(motions, OverlayStyle(width=1440, height=540))
    for index, frame in enumerate(open_frames(str(options.video))):
        if index == options.overlay_frame:
            drawn = Image.fromarray(overlay.draw(frame.image, index))
            drawn.save(DOCS / "overlay.jpg", quality=85)
            break


def photograph(page: Path, frame: int, target: Path) -> None:
    """A picture of a page that stands at a frame."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        view = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        view.goto(page.as_uri())
        view.wait_for_selector("body[data-ready=true]")
        view.locator("#scrub").fill(str(frame))
        view.locator("#scrub").blur()
        view.wait_for_timeout(2000)
        view.screenshot(path=target, type="jpeg", quality=82)
        browser.close()


if __name__ == "__main__":
    main(tyro.cli(Options))
