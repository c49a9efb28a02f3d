"""The page over HTTP: what a client gets, which addresses are refused, and how it ends."""

import http.client
import socket
import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from browser import chromium
from filmed import people

from spgnet.errors import InputError
from spgnet.view.page import page_html
from spgnet.view.server import serve


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def test_a_client_gets_the_page_and_nothing_else():
    motions = people(2)
    with serve(motions, port=0, title="Two", images=[]) as server:
        assert server.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(server.url + "/?once") as response:
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            assert response.read().decode() == page_html(motions, title="Two", images=[])
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(server.url + "/etc/passwd")


def test_the_page_is_refused_to_names_that_point_here_unless_others_may_open_it():
    for host, status in (("127.0.0.1", 403), ("0.0.0.0", 200)):
        with serve(people(), host=host, port=0) as server:
            connection = http.client.HTTPConnection("127.0.0.1", port_of(server.url), timeout=10)
            connection.request("GET", "/", headers={"Host": "site.example"})
            assert connection.getresponse().status == status
            connection.close()


def test_closing_ends_waiting_and_frees_the_port_and_can_be_repeated():
    server = serve(people(), port=0)
    server.close()
    server.close()
    server.wait()
    with socket.create_server(("127.0.0.1", port_of(server.url))):
        pass


def test_another_address_can_be_listened_on():
    with serve(people(), host="0.0.0.0", port=0) as server:
        assert server.url == f"http://localhost:{port_of(server.url)}"
        with urllib.request.urlopen(f"http://127.0.0.1:{port_of(server.url)}") as response:
            assert response.status == 200


def test_a_busy_port_is_said_before_any_image_is_read():
    def images():
        raise AssertionError("read")
        yield

    with serve(people(), port=0) as server:
        port = port_of(server.url)
        with pytest.raises(InputError, match=rf"cannot listen on 127\.0\.0\.1:{port} .* choose another port"):
            serve(people(), port=port, images=images())
    with pytest.raises(InputError, match=r"cannot listen on 127\.0\.0\.1:99999 .*65535"):
        serve(people(), port=99999)


def test_what_cannot_be_shown_is_refused_and_the_port_is_free_again():
    motion = people()[0]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(InputError, match="track 1: joints are NaN"):
        serve([replace(motion, joints=motion.joints * np.float32(np.nan))], port=port)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_browser_that_is_told_to_opens_the_page(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with serve(people(), port=0, open_browser=True) as server:
        assert opened == [server.url]
    with serve(people(), port=0):
        assert len(opened) == 1


def test_a_browser_shows_the_served_motion_and_asks_for_nothing_else():
    with serve(people(2), port=0) as server, chromium() as browser:
        page, asked = browser.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.url)
        page.wait_for_selector("body[data-ready=true]", timeout=10_000)
        assert page.evaluate("spgnet.frames") == 60
        assert {url for url in asked if not url.startswith("data:")} == {server.url + "/"}
