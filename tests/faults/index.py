"""A package index on this machine that sends its files slowly, for first downloads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from faults.terminal import Session

PIECES = 20


class SlowFiles(SimpleHTTPRequestHandler):
    """Files of a folder in pieces, over half a second."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file."""
        content = source.read()
        length = len(content) // PIECES + 1
        for start in range(0, len(content), length):
            outputfile.write(content[start : start + length])
            if len(content) > 1000:
                time.sleep(0.5 / PIECES)

    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the terminal."""


@contextmanager
def package_index(folder: Path) -> Iterator[None]:
    """Serve a folder of packages, and let pip take them from there and nowhere else."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SlowFiles, directory=str(folder)))
    session = Session(server.serve_forever)
    server.socket.close()
    pip = {"PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/", "PIP_CONFIG_FILE": os.devnull}
    pip |= {"PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    former = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    for name in former:
        del os.environ[name]
    os.environ.update(pip)
    try:
        yield
    finally:
        for name in pip:
            del os.environ[name]
        os.environ.update(former)
        session.send("SIGKILL")
        session.wait()
