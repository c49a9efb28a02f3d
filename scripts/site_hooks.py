"""What MkDocs does besides, when it builds the site (mkdocs.yml): generated pages, and links that leave docs.

- The command line's reference is the help of every command.
- Notebooks become pages: their text, their code, and what the code prints.
- Files of the repository that a page links to (the licence, examples, source) become pages of the site, so
  that every link works there as it does on a repository's page.
"""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from notebooks import notebook_page

LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]*)(#[^)\s]*)?(?=\))")
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".json": "json", ".sh": "bash"}


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    def add(uri: str, content: str) -> None:
        files.append(File.generated(config, uri, content=content))

    queue: list[str] = []
    for file in files.documentation_pages():
        queue += links_out_of_docs((ROOT / "docs" / file.src_uri).read_text(), f"docs/{file.src_uri}")
    for path in (ROOT / "docs/notebooks").glob("*.ipynb"):
        page = notebook_page(path, run=config["extra"]["run_notebooks"])
        queue += links_out_of_docs(page, f"docs/notebooks/{path.name}")
        add(f"notebooks/{path.stem}.md", page)
    done: set[str] = set()
    while queue:
        path = queue.pop()
        if path not in done:
            done.add(path)
            page = repository_page(path)
            if path.endswith(".md") or (ROOT / path).is_dir():
                queue += links_out_of_docs(page, path)
            add(page_of(path), page)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Fill in the generated part of a page, and turn links to files of the repository to their pages."""
    uri = page.file.src_uri
    if uri == "reference/command_line.md":
        markdown += command_line_help()
    source = uri.removeprefix("repository/") if uri.startswith("repository/") else f"docs/{uri}"
    if source.endswith(".md.md"):
        source = source.removesuffix(".md")

    def turned(link: re.Match[str]) -> str:
        target = repository_path(link[1], source)
        if not link[1] or not (ROOT / target).exists():
            return link[0]
        relative = posixpath.relpath(page_of(target), posixpath.dirname(uri) or ".")
        return relative + (link[2] or "")

    return LINK.sub(turned, markdown)


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """In docstrings, drop Sphinx's roles and link the pages of the documentation that they name."""
    if not page.file.src_uri.startswith("reference/"):
        return content
    content = re.sub(r":(?:func|class|mod|meth|attr|data):(?=<)", "", content)
    return re.sub(r"docs/(\w+)\.md(?![^<]*</a>)", r'<a href="../\1.html">\1.md</a>', content)


def repository_path(link: str, source: str) -> str:
    """Path in the repository of what a page there links to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def links_out_of_docs(page: str, source: str) -> list[str]:
    """Files and folders of the repository outside docs that a page links to."""
    paths = [repository_path(link[1], source) for link in LINK.finditer(page) if link[1]]
    return [path for path in paths if not path.startswith("docs/") and (ROOT / path).exists()]


def page_of(path: str) -> str:
    """The site's page of a file of the repository, relative to docs."""
    if path.startswith("docs/"):
        page = path.removeprefix("docs/")
        return page.removesuffix(".ipynb") + ".md" if page.endswith(".ipynb") else page
    return f"repository/{path}.md"


def repository_page(path: str) -> str:
    """A file of the repository, or the list of a folder's files, as Markdown."""
    file = ROOT / path
    if file.is_dir():
        names = sorted(each.name for each in file.iterdir() if each.is_file())
        return f"# {path}\n\n" + "\n".join(f"- [{name}]({posixpath.basename(path)}/{name})" for name in names)
    if path.endswith(".md"):
        return file.read_text()
    return f"# {path}\n\n````{LANGUAGES.get(file.suffix, 'text')}\n{file.read_text()}\n````\n"


def command_line_help() -> str:
    """The help of every command, a section each."""
    os.environ["COLUMNS"] = "84"
    from spgnet.cli.commands import COMMANDS, parse

    sections = []
    for name, command in COMMANDS.items():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            parse([name, "--help"])
        sections.append(
            f"\n## spgnet {name}\n\n{command.summary}\n\n```text\n{plain(printed.getvalue())}```\n"
        )
    return "".join(sections)


def plain(text: str) -> str:
    """The help of a command without its summary, its colours, its rules and its empty lines."""
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()]
    usage, rest = lines[0], lines[1:]
    kept = [usage]
    for line, following in zip(rest, [*rest[1:], ""], strict=True):
        if re.fullmatch(r" -+", following):
            kept += ["", line.strip().upper()]
        elif line.startswith(" ") and not re.fullmatch(r" +-+", line):
            kept.append(line)
    return "\n".join(kept) + "\n"
