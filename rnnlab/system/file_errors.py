"""What the system says about files, in words for people."""

from __future__ import annotations

import errno
from typing import Final

_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def reason_of(error: OSError) -> str:
    """Return why a file could not be opened, read or written, in a few words."""
    if error.errno in _FULL:
        return "the disk is full"
    return error.strerror or str(error) or "the system does not say why"
