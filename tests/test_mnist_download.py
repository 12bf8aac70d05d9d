"""The download of MNIST, from servers that break off, stall, trickle, refuse or cannot be trusted."""

from __future__ import annotations

import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from rnnlab.data import mnist_download
from rnnlab.data.datasets import load
from rnnlab.data.errors import DownloadError, LoadingStoppedError
from rnnlab.data.mnist_download import download
from tests.servers import Talk, begin_and_stall, closed_port, promise, say_nothing, tcp_server, trickle


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give Keras an empty cache, name no folder with MNIST, and use no proxy; return where MNIST would be."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("RNNLAB_MNIST_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "datasets" / "mnist.npz"


def serve_from(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let MNIST be downloaded from another address."""
    monkeypatch.setattr(mnist_download, "ARCHIVE_FOLDER", address)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a second only."""
    assert mnist_download.PATIENCE == 10.0
    monkeypatch.setattr(mnist_download, "PATIENCE", 1.0)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes | None]]:
    """Serve MNIST from here: each request gets the next of these answers; `None` breaks the connection."""
    waiting: list[bytes | None] = []

    def talk(connection: socket.socket, _: threading.Event) -> None:
        content = waiting.pop(0) if waiting else None
        if content is not None:
            promise(connection, len(content))
            connection.sendall(content)

    with tcp_server(talk) as port:
        serve_from(monkeypatch, f"http://127.0.0.1:{port}/")
        yield waiting


def note() -> str:
    """Return what a run on MNIST is told when it gets the bundled digits instead."""
    data = load("mnist")
    assert data.name == "digits"
    assert data.note.endswith(" These are the digits bundled with scikit-learn instead.")
    assert data.note.count("\n") == 0
    return data.note


def test_a_download_that_breaks_off_is_tried_again_and_then_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch, answers: list[bytes | None]
) -> None:
    whole = b"all of MNIST"
    monkeypatch.setattr(mnist_download, "ARCHIVE_SHA256", hashlib.sha256(whole).hexdigest())
    answers.extend([None, whole[:5], whole])
    said: list[str] = []
    download(cache, said.append)
    assert cache.read_bytes() == whole
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    assert said[-1].endswith("(attempt 3 of 3)")
    assert cache.stat().st_mode & 0o777 == 0o644  # for all who use this machine


def test_a_download_that_is_not_mnist_is_thrown_away_and_prints_nothing(
    cache: Path, answers: list[bytes | None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers.extend([b"half a file"] * 3)
    assert "it arrived damaged" in note()
    assert not list(cache.parent.iterdir())
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("talk", "scheme", "said"),
    [
        (say_nothing, "http", "there was no answer within 1 seconds"),
        (say_nothing, "https", "there was no answer within 1 seconds"),
        (begin_and_stall, "http", "the server stalled, with 0 kB in 1 seconds"),
        (trickle, "http", "the server stalled, with 0 kB in 1 seconds"),
    ],
)
def test_a_server_that_stalls_or_trickles_is_given_up(
    monkeypatch: pytest.MonkeyPatch, cache: Path, talk: Talk, scheme: str, said: str
) -> None:
    with tcp_server(talk) as port:
        serve_from(monkeypatch, f"{scheme}://127.0.0.1:{port}/")
        assert said in note()
    assert not list(cache.parent.iterdir())


@pytest.mark.usefixtures("impatient")
def test_a_name_that_is_looked_up_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait())
    assert "there was no answer within 1 seconds" in note()
    over.set()


def test_a_slow_download_is_not_given_up_while_enough_of_it_comes(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = bytes(1_000_000)
    monkeypatch.setattr(mnist_download, "ARCHIVE_SHA256", hashlib.sha256(5 * piece).hexdigest())
    now, noted = [0.0], threading.Semaphore(0)
    monkeypatch.setattr(mnist_download, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def talk(connection: socket.socket, over: threading.Event) -> None:
        promise(connection, 5 * len(piece))
        for _ in range(5):
            connection.sendall(piece)
            noted.acquire()
            now[0] += 9.0

    said: list[str] = []

    def progress(text: str) -> None:
        said.append(text)
        if " of 11 MB" in text:
            noted.release()

    with tcp_server(talk) as port:
        serve_from(monkeypatch, f"http://127.0.0.1:{port}/")
        download(cache, progress)
    assert cache.stat().st_size == 5_000_000
    assert said[1:] == [f"Downloading MNIST, {count} of 11 MB" for count in range(1, 6)]


@pytest.mark.parametrize("talk", [say_nothing, trickle])
def test_stop_is_heard_while_nothing_comes(monkeypatch: pytest.MonkeyPatch, cache: Path, talk: Talk) -> None:
    monkeypatch.setattr(mnist_download, "PATIENCE", 100_000.0)
    said: list[str] = []
    with tcp_server(talk) as port:
        serve_from(monkeypatch, f"http://127.0.0.1:{port}/")
        with pytest.raises(LoadingStoppedError):
            load("mnist", said.append, stopped=lambda: len(said) > 1)
    assert said == ["Loading MNIST", "Downloading MNIST, 11 MB, once"]
    assert not list(cache.parent.iterdir())


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    serve_from(monkeypatch, f"http://127.0.0.1:{closed_port()}/")


def refuse_as_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://anna:secret@127.0.0.1:{closed_port()}")


def name_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://")


def resolve_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


def have_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)


def name_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/certificates.pem")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (refuse, "there is no connection to 127.0.0.1 (Connection refused)."),
        (refuse_as_a_proxy, "cannot be used (Connection refused); check HTTPS_PROXY."),
        (name_no_proxy, "the proxy in the environment cannot be used ("),
        (
            resolve_no_name,
            "the name storage.googleapis.com cannot be resolved; check the internet connection.",
        ),
        (have_no_network, "there is no connection to storage.googleapis.com (Network is unreachable)."),
        (name_no_certificates, "invalid path: /no/such/certificates.pem)."),
    ],
)
def test_the_reason_why_there_is_no_connection_is_said(
    monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None], said: str
) -> None:
    break_it(monkeypatch)
    found = note()
    assert said in found
    assert "secret" not in found  # the address of a proxy may hold a password


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "127.0.0.1 answered 404 Not Found."),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "127.0.0.1 answered 503 Busy."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", "the connection to 127.0.0.1 broke off."),
        (b"", "the connection to 127.0.0.1 broke off."),
        (b"no HTTP at all\r\n\r\n", "the connection to 127.0.0.1 broke off."),
    ],
)
def test_what_the_server_answered_is_said(monkeypatch: pytest.MonkeyPatch, answer: bytes, said: str) -> None:
    def talk(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with tcp_server(talk) as port:
        serve_from(monkeypatch, f"http://127.0.0.1:{port}/")
        assert said in note()


def test_a_proxy_that_asks_for_a_password_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with tcp_server(talk) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        said = note()
    assert f"the proxy 127.0.0.1:{port} cannot be used (Tunnel connection failed: 407" in said


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate that nobody has signed, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl on this machine to make a certificate with")
    path = tmp_path / "certificate.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(
        [openssl, "req", *options, "-keyout", str(path.with_suffix(".key")), "-out", str(path)],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".key").read_bytes())
    return path


def test_a_certificate_that_is_not_trusted_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def talk(connection: socket.socket, _: threading.Event) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65_536)

    with tcp_server(talk) as port:
        serve_from(monkeypatch, f"https://localhost:{port}/")
        assert "the certificate of localhost is not trusted (self" in note()


def test_a_disk_that_takes_no_more_is_said_to(
    monkeypatch: pytest.MonkeyPatch, cache: Path, answers: list[bytes | None]
) -> None:
    resource = pytest.importorskip("resource")
    content = bytes(2_000_000)
    monkeypatch.setattr(mnist_download, "ARCHIVE_SHA256", hashlib.sha256(content).hexdigest())
    answers.extend([content] * 3)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(DownloadError, match="could not be saved in") as caught:
            download(cache, lambda _: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == f"MNIST could not be saved in {cache.parent} (File too large)."
    assert not list(cache.parent.iterdir())
