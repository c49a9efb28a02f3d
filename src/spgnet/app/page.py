"""The app's page, in Gradio."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from spgnet.app.config import AppConfig
from spgnet.app.handlers import Handlers
from spgnet.app.layout import Layout
from spgnet.app.sessions import Sessions
from spgnet.extras import import_extra


@dataclass(frozen=True)
class Page:
    """What Gradio is to serve.

    Args:
        blocks: the page.
        theme: how it looks.
        head: what stands in its head, the style sheet too.
    """

    blocks: Any
    theme: Any
    head: str


def make_page(config: AppConfig, sessions: Sessions) -> Page:
    """The page of the app.

    Raises:
        InputError: Gradio is missing.
    """
    gradio = import_extra("gradio", "app")
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
    theme = gradio.themes.Base(
        primary_hue="slate",
        secondary_hue="slate",
        neutral_hue="slate",
        radius_size="lg",
        font=fonts,
        font_mono=["ui-monospace", "Consolas", "monospace"],
    )
    css = files("spgnet.app").joinpath("page.css").read_text(encoding="utf-8")
    # Gradio would rewrite a style sheet that is given as such, and not all of it comes through.
    head = (
        f'<link rel="icon" href="data:,"><meta name="color-scheme" content="light dark"><style>{css}</style>'
    )
    blocks = gradio.Blocks(
        title="spgnet: from video to 3D motion",
        analytics_enabled=False,
        delete_cache=(600, 3600),
        fill_width=True,
    )
    with blocks:
        Handlers(Layout(gradio, config), sessions, blocks)
    return Page(blocks, theme, head)
