"""Run a notebook without Jupyter: its cells one after the other, with what they print.

python scripts/notebooks.py docs/notebooks/practitioner.ipynb     # prints the page that the site shows
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def read_cells(path: Path) -> list[tuple[str, str]]:
    """The cells of a notebook: "markdown" or "code", and the text."""
    notebook = json.loads(path.read_text())
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def run_cells(path: Path) -> Iterator[tuple[str, str, str]]:
    """Run a notebook in the working directory: kind, text and output of every cell, in order.

    As in Jupyter, all cells share their names, and the value of a cell's last expression is printed.

    Raises:
        Exception: that of a cell.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, (kind, text) in enumerate(read_cells(path), start=1):
        yield kind, text, run_cell(text, f"{path.name}, cell {number}", names) if kind == "code" else ""


def run_cell(text: str, name: str, names: dict[str, Any]) -> str:
    """Run one cell of code with the names that earlier ones left: what it prints."""
    body = ast.parse(text, name).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), names)
            if value is not None:
                print(repr(value))
    return printed.getvalue()


def notebook_page(path: Path, *, run: bool = True) -> str:
    """A notebook as Markdown; if it is run, in an empty folder, with its outputs and pictures."""
    if not run:
        return _join(_cell(kind, text) for kind, text in read_cells(path))
    parts: list[str] = []
    shown: set[Path] = set()
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for kind, text, output in run_cells(path):
                parts.append(_cell(kind, text))
                if output:
                    parts.append(f"```text\n{output.rstrip()}\n```")
                for picture in sorted({*Path().glob("*.png")} - shown):
                    data = base64.b64encode(picture.read_bytes()).decode()
                    parts.append(f"![{picture.stem}](data:image/png;base64,{data})")
                    shown.add(picture)
        finally:
            os.chdir(before)
    return _join(parts)


def _cell(kind: str, text: str) -> str:
    return text if kind == "markdown" else f"```python\n{text}\n```"


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(notebook_page(Path(sys.argv[1]).resolve()))
