"""Servers of this machine that behave badly, for tests of the download."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socket.socket, threading.Event], None]
"""What a server does with a connection; the event is set when the test is over."""


@contextmanager
def tcp_server(talk: Talk) -> Iterator[int]:
    """Serve connections in threads; yield the port."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk(connection, over)

    def accept() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            over.set()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                thread.join()  # the last connection only wakes it


def say_nothing(connection: socket.socket, over: threading.Event) -> None:
    """Take the connection and never answer."""
    over.wait()


def begin_and_stall(connection: socket.socket, over: threading.Event) -> None:
    """Promise MNIST, send a little of it, and stop."""
    promise(connection)
    connection.sendall(b"a little")
    over.wait()


def trickle(connection: socket.socket, over: threading.Event) -> None:
    """Promise MNIST, and send a byte now and then."""
    promise(connection)
    while not over.wait(0.05):
        connection.sendall(b".")


def promise(connection: socket.socket, size: int = 11_490_434) -> None:
    """Read a request and answer with the head of a file of that size."""
    connection.recv(65_536)
    connection.sendall(
        f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode("ascii")
    )


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
