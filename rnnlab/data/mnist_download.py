"""Downloads MNIST, once: gives up on silence, hears Stop all the while, and says why it has failed."""

from __future__ import annotations

import logging
import os
import queue
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rnnlab.data.errors import DownloadError, LoadingStoppedError
from rnnlab.data.mnist_files import ARCHIVE_SHA256

ARCHIVE_FOLDER: Final = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

ATTEMPTS: Final = 3
"""How many times to try."""

PATIENCE: Final = 10.0
"""Seconds within which each `_PORTION` must arrive; the first ones also have to look up and connect."""

_PORTION: Final = 100_000
"""Bytes: a server that sends less than this in `PATIENCE` counts as stalled, though it may trickle."""

_CHUNK: Final = 65_536
"""Most bytes to take from the connection together."""

_POLL_INTERVAL: Final = 0.1
"""Seconds between two checks whether to stop."""

_log = logging.getLogger(__name__)


def download(
    path: Path, progress: Callable[[str], None], stopped: Callable[[], bool] = lambda: False
) -> None:
    """Download MNIST's archive; the file appears at `path` once it is complete.

    Args:
        path: Where to save it; the folder is created.
        progress: Called with a few words about what is being done.
        stopped: Returns whether to stop; asked several times a second.

    Raises:
        DownloadError: It cannot be saved, three attempts have failed, or the server is silent or too slow.
        LoadingStoppedError: It was to stop.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What a transfer that was given up still writes lies in a folder that is gone.
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
        ) as aside:
            arrived = Path(aside) / path.name
            _wait(_Transfer(arrived), progress, stopped)
            arrived.chmod(0o644)  # others on this machine read the same cache
            os.replace(arrived, path)
    except OSError as error:
        reason = error.strerror or "it may not be written to"
        raise DownloadError(f"MNIST could not be saved in {path.parent} ({reason}).") from error


def _wait(transfer: _Transfer, progress: Callable[[str], None], stopped: Callable[[], bool]) -> None:
    """Wait until a transfer is over; give it up if it is to stop, or nothing comes."""
    transfer.start()
    try:
        while transfer.is_going_on():
            with suppress(queue.Empty):
                progress(transfer.notes.get(timeout=_POLL_INTERVAL))
            if stopped():
                raise LoadingStoppedError
            if transfer.seconds_without_portion() > PATIENCE:
                raise DownloadError(f"MNIST could not be downloaded: {transfer.why_given_up()}.")
    finally:
        transfer.abandoned.set()
    if transfer.error is not None:
        _log.info("The download of MNIST has failed: %r", transfer.error)
        if isinstance(transfer.error, OSError) and not _is_of_the_network(transfer.error):
            raise transfer.error
        reason = _reason(transfer.error)
        raise DownloadError(f"MNIST could not be downloaded: {reason}.") from transfer.error


class _AbandonedError(Exception):
    """Nobody waits for this transfer any more."""


class _Transfer:
    """A download in a thread of its own.

    Neither a look-up of a name nor a connection under way can be broken off from outside: the thread is left
    to itself if nobody waits for it any more, and ends at its next sign of life.

    Attributes:
        path: Where the archive will be.
        notes: What is being done, in words.
        error: Why it has failed, or `None`.
        abandoned: Set if nobody waits for it any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.error: Exception | None = None
        self.abandoned = threading.Event()
        self._failure: Exception | None = None
        self._attempts = 0
        self._received = 0
        self._portion, self._portion_began = 0, time.monotonic()
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_going_on(self) -> bool:
        """Return whether it is not over yet, or has notes that nobody has read."""
        return self._thread.is_alive() or not self.notes.empty()

    def seconds_without_portion(self) -> float:
        """Return how long ago the last whole portion had arrived."""
        return time.monotonic() - self._portion_began

    def why_given_up(self) -> str:
        """Return in words why nobody waits any longer."""
        if self._failure is not None:
            return _reason(self._failure)
        if self._received:
            return f"the server stalled, with {self._portion / 1000:,.0f} kB in {PATIENCE:.0f} seconds"
        return f"there was no answer within {PATIENCE:.0f} seconds; check the internet connection"

    def _run(self) -> None:
        try:
            self._fetch()
        except Exception as error:
            self.error = error

    def _fetch(self) -> None:
        """Try to get the archive; only one with the right checksum counts."""
        import pooch  # takes a tenth of a second, with requests: only a download is worth it

        pooch.get_logger().setLevel("WARNING")
        archive = pooch.create(
            self.path.parent,
            ARCHIVE_FOLDER,
            registry={self.path.name: f"sha256:{ARCHIVE_SHA256}"},
            retry_if_failed=ATTEMPTS - 1,
        )
        archive.fetch(self.path.name, downloader=self._attempt)

    def _attempt(self, url: str, output: str, _: object) -> None:
        """Try once, as pooch's downloader."""
        from requests.exceptions import ConnectionError as RequestsConnectionError
        from urllib3.exceptions import HTTPError

        if self.abandoned.is_set():
            raise _AbandonedError
        self._attempts += 1
        which = f" (attempt {self._attempts} of {ATTEMPTS})" if self._attempts > 1 else ""
        self.notes.put(f"Downloading MNIST, 11 MB, once{which}")
        try:
            self._copy(url, output)
        except HTTPError as error:  # of the library below `requests`, which reports errors of its own
            self._failure = error
            raise RequestsConnectionError(error) from error
        except OSError as error:
            self._failure = error
            raise

    def _copy(self, url: str, output: str) -> None:
        """Copy what is at an address into a file."""
        import requests

        # Whoever waits gives up earlier: the time limit only ends a thread that was left to itself.
        with (
            requests.get(url, stream=True, timeout=2 * PATIENCE) as answer,
            Path(output).open("wb") as file,
        ):
            answer.raise_for_status()
            while chunk := answer.raw.read1(_CHUNK):
                if self.abandoned.is_set():
                    raise _AbandonedError
                file.write(chunk)
                self._count(len(chunk))

    def _count(self, size: int) -> None:
        """Note that bytes have arrived."""
        megabytes = self._received // 1_000_000
        self._received += size
        self._portion += size
        if self._portion >= _PORTION:
            self._portion, self._portion_began = 0, time.monotonic()
        if self._received // 1_000_000 > megabytes:
            self.notes.put(f"Downloading MNIST, {self._received // 1_000_000} of 11 MB")


def _is_of_the_network(error: OSError) -> bool:
    """Return whether an error comes from the connection rather than from the disk."""
    from requests.exceptions import RequestException

    # Certificates that cannot be found are reported as an `OSError` without a number.
    return isinstance(error, RequestException) or error.errno is None


def _reason(error: Exception) -> str:
    """Return in words, without a full stop, why an attempt has failed, and what to do if that is known."""
    from requests import exceptions
    from urllib3.exceptions import IncompleteRead, NameResolutionError, ProtocolError

    causes = list(_causes(error))

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, kinds)), None)

    host, last = urlsplit(ARCHIVE_FOLDER).hostname, causes[-1]
    refusal = first(exceptions.HTTPError)
    if first(exceptions.ProxyError, exceptions.InvalidProxyURL):
        reason = f"the proxy {_proxy()} cannot be used ({_plain(last)}); check HTTPS_PROXY"
    elif distrust := first(ssl.SSLCertVerificationError):
        why = getattr(distrust, "verify_message", "") or _plain(distrust)
        reason = (
            f"the certificate of {host} is not trusted ({why}); name the right ones in REQUESTS_CA_BUNDLE"
        )
    elif first(exceptions.SSLError, ssl.SSLError):
        reason = f"there is no secure connection to {host} ({_plain(last)})"
    elif first(NameResolutionError):
        reason = f"the name {host} cannot be resolved; check the internet connection"
    elif isinstance(refusal, exceptions.HTTPError) and refusal.response is not None:
        reason = f"{host} answered {refusal.response.status_code} {refusal.response.reason}"
    elif first(IncompleteRead, ProtocolError):
        reason = f"the connection to {host} broke off"
    elif isinstance(error, ValueError) and not isinstance(error, exceptions.RequestException):
        reason = "it arrived damaged; start the run again to fetch it once more"
    else:
        reason = f"there is no connection to {host} ({_plain(last)})"
    return reason


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those that it was made from, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((cause for cause in inner if isinstance(cause, BaseException)), None)


def _plain(error: BaseException) -> str:
    """Return an error as a few words in one line."""
    words = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return words.strip().splitlines()[0].rstrip(".")[:120]


def _proxy() -> str:
    """Return host and port of the proxy, without the name and the password that its address may hold."""
    from requests.utils import get_environ_proxies, select_proxy

    with suppress(ValueError):
        address = select_proxy(ARCHIVE_FOLDER, get_environ_proxies(ARCHIVE_FOLDER)) or ""
        parts = urlsplit(address)
        if parts.hostname:
            return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    return "in the environment"
