"""The page of motions over HTTP, for browsers on this machine or, with a host, on others."""

from __future__ import annotations

import ipaddress
import socket
import threading
import webbrowser
from collections.abc import Iterable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np

from spgnet.errors import InputError
from spgnet.lifting.motion import Motion
from spgnet.view.page import ImageBudget, page_html


def serve(
    motions: Sequence[Motion],
    *,
    title: str = "Motion",
    images: Iterable[tuple[float, np.ndarray]] | None = None,
    budget: ImageBudget | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    open_browser: bool = False,
) -> PageServer:
    """Show motions in a browser, and return at once.

    Args:
        motions: the people of one clip, in one world.
        title: as in :func:`spgnet.view.page.page_html`, like ``images`` and ``budget``.
        host: the address to listen on; only this machine can open the default one.
        port: the port to listen on; 0 takes any free one.
        open_browser: also open the page.

    Returns:
        The running server. It ends with its ``close``, or with the program.

    Raises:
        InputError: the address cannot be listened on, or the page cannot be made.
    """
    listening = listen(host, port)  # before the images are read, which can take minutes
    try:
        page = page_html(motions, title=title, images=images, budget=budget)
    except BaseException:
        listening.close()
        raise
    server = PageServer(page, listening)
    if open_browser:
        webbrowser.open(server.url)
    return server


class PageServer:
    """Answers requests for one page, from a thread of its own.

    Use it in a ``with`` statement: leaving it ends the server.

    Args:
        page: HTML.
        listening: a listening socket, which the server owns from here on.
    """

    def __init__(self, page: str, listening: socket.socket) -> None:
        self._address: tuple[str, int] = listening.getsockname()[:2]
        self._server = _OnePage(page.encode(), listening)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, name="spgnet-page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where browsers find the page."""
        host, port = self._address
        host = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{host}:{port}"

    def wait(self) -> None:
        """Stay until the server is closed; Ctrl+C raises ``KeyboardInterrupt`` as usual."""
        while not self._closed.wait(0.2):
            pass

    def close(self) -> None:
        """End the server; pages that are open stay. A second call does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _OnePage(ThreadingHTTPServer):
    """Gives the same bytes for the path ``/``, and nothing for others."""

    daemon_threads = True

    def __init__(self, content: bytes, listening: socket.socket) -> None:
        super().__init__(listening.getsockname()[:2], _PageRequest, bind_and_activate=False)
        self.socket.close()
        self.socket, self.content = listening, content
        self.is_local = ipaddress.ip_address(listening.getsockname()[0]).is_loopback


class _PageRequest(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Send the page."""
        assert isinstance(self.server, _OnePage)
        if self.server.is_local and not names_this_machine(self.headers.get("Host")):
            self.send_error(403)
            return
        if self.path.partition("?")[0] != "/":
            self.send_error(404)
            return
        content = self.server.content
        with suppress(ConnectionError):  # a browser may leave before it has everything
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")  # the next motion may have the same address
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the terminal."""


def names_this_machine(host: str | None) -> bool:
    """Whether the ``Host`` header of a request names this machine by its loopback address.

    If it does not, the request comes from a page of another site whose name was made to point here.
    """
    try:
        name = urlsplit(f"//{host or ''}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any free one.

    Raises:
        InputError: the address cannot be listened on.
    """
    fault = "ports are 0 to 65535"
    if 0 <= port <= 65535:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            fault = str(error)
    raise InputError(f"cannot listen on {host}:{port} ({fault}); choose another port, or 0 for any free one")
