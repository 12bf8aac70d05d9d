"""A small proxy that serves a dashboard under a path, which it strips, as hosts of notebooks do."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.dashboard import free_port


@contextlib.contextmanager
def stripping_proxy(url: str, path: str) -> Iterator[str]:
    """Pass requests and websockets on to a dashboard; yield the address at which it can be opened.

    Args:
        url: The dashboard, at the root of its server.
        path: The path that the proxy takes away, such as `/class/lab`. Anything else is not found.
    """
    port, loop = free_port(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)  # in this one Playwright's loop is running
    thread.start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _pass_on(reader, writer, urlsplit(url).port or 80, path)
        writer.close()

    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    start = asyncio.start_server(serve, "127.0.0.1", port)
    server = asyncio.run_coroutine_threadsafe(start, loop).result()
    try:
        yield f"http://127.0.0.1:{port}{path}/"
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, path: str) -> None:
    """Pass one request on, and whatever follows it in both directions."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    asked = re.match(rf"(\w+) {re.escape(path)}(/\S*)", head)
    if not asked:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    head = f"{asked[1]} {asked[2]}{head[asked.end() :]}"
    if "upgrade: websocket" not in head.lower():  # one request for each connection
        head = re.sub(r"(?im)^connection: .*?\r$", "Connection: close\r", head)
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    inner_writer.write(head.encode("latin-1"))
    try:
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
    finally:
        inner_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy what comes until its end, and then end, too."""
    while content := await source.read(65536):
        target.write(content)
        await target.drain()
    target.close()
