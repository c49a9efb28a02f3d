"""The app over HTTP: Gradio's page, the files of results, and nothing from other machines."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import webbrowser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spgnet.app.config import AppConfig
from spgnet.app.results import ResultsFolder, zip_result
from spgnet.app.sessions import Sessions
from spgnet.app.wording import describe_error, is_disk_full
from spgnet.detection.downloads import MessageCallback, print_line
from spgnet.errors import InputError
from spgnet.extras import how_to_install, import_extra
from spgnet.limits import LARGEST_UPLOAD, limit_factor
from spgnet.view.server import listen, names_this_machine

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; object-src 'none'; "
    "base-uri 'self'"
)
"""What a browser lets the page ask for: nothing from another host, whatever is in it."""
_PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:"
)
"""The same for the pages of results, which need nothing but themselves."""


def run_app(config: AppConfig | None = None, say: MessageCallback = print_line) -> None:
    """Serve the app until Ctrl-C.

    Args:
        config: where; by default on this machine only.
        say: called with what the user should know, a line each.

    Raises:
        InputError: the address cannot be listened on, Gradio or what the workers need is missing, or the
            folder of results is a file.
        OSError: a folder cannot be made.
    """
    config = config or AppConfig()
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"{config.out}: a file is in the way; --out names a folder")
    if (config.workers or config.ray) and not find_spec("ray"):
        raise InputError(how_to_install("ray", "cluster"))
    limit_factor()
    with listen(config.host, config.port) as listening, tempfile.TemporaryDirectory(prefix="spgnet-") as own:
        settings = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
        os.environ.update(settings, GRADIO_TEMP_DIR=own)  # Gradio reads them when it is imported
        import_extra("gradio", "app")
        uvicorn = import_extra("uvicorn", "app")
        sessions = Sessions(config, Path(own))
        host, port = listening.getsockname()[:2]
        server = uvicorn.Server(
            uvicorn.Config(make_server(config, sessions), log_level="warning", timeout_graceful_shutdown=1)
        )
        # Pages that are open never end their connection. That they are cut off at the end is no error.
        logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
        shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{port}"
        say(f"the app is at {address} until you press Ctrl-C")
        say(f"results: {config.out.resolve()}")
        if config.browser:
            webbrowser.open(address)
        try:
            with suppress(KeyboardInterrupt):
                server.run(sockets=[listening])
        finally:
            sessions.close()


def make_server(config: AppConfig, sessions: Sessions) -> Any:
    """The app as an ASGI application.

    Raises:
        InputError: Gradio is missing.
    """
    gradio = import_extra("gradio", "app")
    fastapi = import_extra("fastapi", "app")
    from spgnet.app.page import make_page  # loads Gradio

    handlers = {OSError: _refuse_if_full}
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None, exception_handlers=handlers)
    _add_results(app, sessions.results, sessions.uploads)
    page = make_page(config, sessions)
    gradio.mount_gradio_app(
        app,
        page.blocks,
        path="/",
        server_name=config.host,
        server_port=config.port,
        max_file_size=int(limit_factor() * LARGEST_UPLOAD),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
        show_error=False,
        theme=page.theme,
        head=page.head,
        app_kwargs={"exception_handlers": handlers},
    )
    return _Guard(app, local=not config.public)


def _refuse_if_full(request: Any, error: OSError) -> Any:
    """The answer to an upload or a download for which there is no room on the disk."""
    if not is_disk_full(error):
        raise error
    responses = import_extra("fastapi.responses", "app")
    return responses.PlainTextResponse(describe_error(error), status_code=507)


def _add_results(app: Any, results: ResultsFolder, temporary: Path) -> None:
    """Serve the files of results, and each result as a zip file, which is made in a temporary folder."""
    responses = import_extra("fastapi.responses", "app")
    background = import_extra("starlette.background", "app")

    def missing() -> Any:
        return responses.PlainTextResponse("There is no such file.", status_code=404)

    def send_zip(result: str) -> Any:
        folder = results.find(result)
        if folder is None:
            return missing()
        target = temporary / f"{secrets.token_hex(8)}.zip"
        try:
            zip_result(folder, target)
        except OSError:  # such as of a full disk, of which half a file must not keep a part
            target.unlink(missing_ok=True)
            raise
        return responses.FileResponse(
            target,
            filename=f"{folder.name}.zip",
            background=background.BackgroundTask(target.unlink, missing_ok=True),
        )

    def send_file(result: str, file: str) -> Any:
        path = results.find(result, file)
        if path is None or not path.is_file():
            return missing()
        return responses.FileResponse(path)

    app.get("/results/{result}.zip")(send_zip)
    app.get("/results/{result}/{file}")(send_file)


def _from_this_machine(headers: dict[bytes, bytes]) -> bool:
    """Whether a request names this machine, and comes from no other site's page."""
    host, origin = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"origin"))
    return names_this_machine(host) and (not origin or names_this_machine(urlsplit(origin).netloc))


class _Guard:
    """Refuses requests that came by the name of another site, and tells browsers to ask no other host.

    Args:
        app: what answers the others.
        local: whether it is for this machine only.
    """

    def __init__(self, app: Any, *, local: bool) -> None:
        self.app, self.local = app, local

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self.local and not _from_this_machine(headers):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        policy = _PAGE_POLICY if scope["path"].endswith("/page.html") else _POLICY

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    entry for entry in message["headers"] if entry[0].lower() != b"content-security-policy"
                ]
                kept += [
                    (b"content-security-policy", policy.encode()),
                    (b"referrer-policy", b"no-referrer"),
                    (b"x-content-type-options", b"nosniff"),
                ]
                message = {**message, "headers": kept}
            await send(message)

        await self.app(scope, receive, send_guarded)
