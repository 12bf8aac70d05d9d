"""What can go wrong with data sets."""

from __future__ import annotations


class DatasetError(RuntimeError):
    """A data set that cannot be used; its text is one sentence meant for people."""


class DatasetMemoryError(DatasetError):
    """There is not enough memory to read a data set, which may be as good as ever."""


class DownloadError(DatasetError):
    """MNIST is not on this machine and cannot be fetched, or there is no place to keep it."""


class LoadingStoppedError(Exception):
    """Somebody has asked to stop while data was loaded."""
