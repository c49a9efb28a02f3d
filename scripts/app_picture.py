"""Write docs/app.jpg: the app in a browser, after a video was dropped into it.

    python scripts/app_picture.py VIDEO

Needs Chromium, and the extra `test`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import FloatRect, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
BROWSER = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
RUN = "from spgnet.cli import main; main()"
PATIENCE = 600_000


def main(video: Path) -> None:
    """Start the app, use it, and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            RUN,
            "app",
            "--port",
            "0",
            "--no-browser",
            "--out",
            f"{folder}/spgnet",
        ]
        app = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert app.stdout is not None
        try:
            address = re.findall(r"http://\S+", app.stdout.readline())[0]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
                page = browser.new_page(viewport={"width": 1200, "height": 2600}, reduced_motion="reduce")
                page.goto(address)
                use(page, video)
                result = page.locator("#step-result").bounding_box()
                assert result is not None
                shown = FloatRect(x=0, y=0, width=1200, height=result["y"] + result["height"] + 16)
                page.screenshot(path=ROOT / "docs/app.jpg", type="jpeg", quality=82, clip=shown)
                browser.close()
        finally:
            app.terminate()
            app.wait()


def use(page: Page, video: Path) -> None:
    """Go through the three steps."""
    page.locator("#files input[type=file]").set_input_files(video)
    page.locator("#added").get_by_text(video.stem).first.wait_for()
    page.locator("#start").click()
    page.locator("#make").click(timeout=PATIENCE)
    page.locator("iframe.motion").wait_for(timeout=PATIENCE)
    element = page.locator("iframe.motion").element_handle()
    frame = element.content_frame() if element else None
    assert frame is not None
    frame.wait_for_selector("body[data-ready=true]", timeout=PATIENCE)
    frame.locator("#scrub").fill("40")
    page.wait_for_timeout(3000)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
