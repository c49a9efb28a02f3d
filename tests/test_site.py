"""The documentation as a site: it is built without a warning, needs no other host, and leaves nothing out."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spgnet
from view.browser import chromium

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; its notebooks are not run for it."""
    for needed in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(needed, reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    settings = {"NO_MKDOCS_2_WARNING": "1", "SPGNET_RUN_NOTEBOOKS": "false"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_loads_nothing_from_other_hosts(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        for tag in re.findall(r"<(?:script|img|iframe|source|link)\b[^>]*>", page.read_text()):
            assert not re.search(r"\s(?:src|href)=[\"']?(?:https?:)?//", tag), (page, tag)


def test_the_search_works_where_the_site_is_opened_from_a_disk(site):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto((site / "index.html").as_uri())
        page.click("input.md-search__input")
        page.keyboard.type("field of view")
        page.wait_for_selector(".md-search-result__item")
        assert "view" in page.inner_text(".md-search-result__list").lower()


def test_the_reference_has_every_command_and_every_public_name(site):
    commands = (site / "reference/command_line.html").read_text()
    for name in ("lift", "export", "train", "data"):
        assert f'id="spgnet-{name}"' in commands
    assert "--field-of-view" in commands
    lift = (site / "reference/python.html").read_text()
    assert "field_of_view" in lift
    assert ":func:" not in lift


def test_every_public_name_is_in_the_reference():
    pages = "".join(page.read_text() for page in (ROOT / "docs/reference").glob("*.md"))
    listed = set(re.findall(r"^::: spgnet\.(\w+)", pages, flags=re.MULTILINE))
    assert set(spgnet.__all__) <= listed  # that the others exist is checked by the strict build


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from notebooks import run_cells

    from spgnet.data import sources

    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", sources.PROCEDURAL_CLIPS)  # a notebook has fewer

    printed = "".join(output for _, _, output in run_cells(path))
    assert {"practitioner": "height of this person", "researcher": "| action |"}[path.stem] in printed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path):
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
