"""What the app knows of everybody who has its page open."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spgnet.app.clips import Clip, Tools
from spgnet.app.config import AppConfig
from spgnet.app.jobs import Job, Turns
from spgnet.app.results import ResultsFolder


@dataclass
class Session:
    """One open page.

    Args:
        files: those that were dropped, in their order.
        clips: those in which people were looked for last, and who is in them.
        results: the names of what was made of them.
        job: what is being done.
        uploads: the folders of the files that were dropped.
    """

    files: list[Path] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    job: Job[Any] | None = None
    uploads: set[Path] = field(default_factory=set)


class Sessions:
    """All open pages.

    Args:
        config: of the app.
        uploads: folder of the files that are dropped.

    Attributes:
        results: where results are.
        public: whether other people may use the app, who must not see each other's results.
        turns: of their jobs.
        tools: what clips are lifted with.
    """

    def __init__(self, config: AppConfig, uploads: Path) -> None:
        self.public = config.public
        self.results = ResultsFolder(config.out, secret=self.public)
        self.tools = Tools(config.detector_dir, config.weights)
        self.turns, self.uploads = Turns(), uploads
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Session:
        """The session of a page; a new one if there is none."""
        with self._lock:
            return self._sessions.setdefault(key, Session())

    def names(self, key: str) -> list[str]:
        """The results that a page may show, the newest first."""
        names = self.results.names()
        return [name for name in names if name in self.get(key).results] if self.public else names

    def keep_result(self, key: str, name: str) -> None:
        """Let a page have a new result; if the page was closed meanwhile, a private one is removed."""
        with self._lock:
            session = self._sessions.get(key)
            if session is not None:
                session.results.append(name)
        if session is None and self.public:
            self.results.remove(name)

    def keep_uploads(self, key: str, paths: Sequence[Path]) -> list[Path]:
        """Keep files for as long as their page is open; Gradio has one copy for all pages, and removes it.

        Raises:
            OSError: a file cannot be read.
        """
        kept = []
        for path in paths:
            folder = Path(tempfile.mkdtemp(prefix="clip-", dir=self.uploads))
            self.get(key).uploads.add(folder)
            kept.append(folder / path.name)
            try:
                os.link(path, kept[-1])
            except OSError:  # not on every file system
                shutil.copyfile(path, kept[-1])
        return kept

    def end(self, key: str) -> None:
        """A page was closed: stop its job, and remove its uploads, and its results if they are private."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is None:
            return
        if session.job is not None:
            session.job.cancel()
            session.job.wait(20.0)
        for folder in session.uploads:
            shutil.rmtree(folder, ignore_errors=True)
        for name in session.results if self.public else ():
            self.results.remove(name)

    def close(self) -> None:
        """End all."""
        for key in list(self._sessions):
            self.end(key)
