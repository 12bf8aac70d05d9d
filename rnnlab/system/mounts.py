"""Which folders lie on a network, or are shared with another system's kernel in some such way."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_NETWORK: Final = {
    *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afpfs", "webdav", "davfs", "ncpfs", "afs"),
    *("ceph", "lustre", "beegfs", "gpfs", "glusterfs", "sshfs", "rclone", "9p"),
    *("vboxsf", "vmhgfs", "vmhgfs-fuse", "prl_fs", "virtiofs", "fakeowner", "grpcfuse", "osxfs"),
}
"""Types of file systems that other machines, or the host of this one, may write to at the same time."""


def is_on_network(folder: Path) -> bool:
    """Return whether processes on other machines may work on a folder; `False` if the system does not say.

    Memory that processes share through a file there is not the same on all machines.
    """
    folder = folder.absolute()
    with suppress(OSError, psutil.Error):
        folder = folder.resolve()
        if str(folder).startswith("\\\\"):  # \\server\share on Windows
            return True
        mounts = [
            mount
            for mount in psutil.disk_partitions(all=True)
            if folder.is_relative_to(mount.mountpoint) and mount.fstype != "autofs"
        ]
        if mounts:
            # Of several at the same place, the last one covers the others.
            nearest = max(reversed(mounts), key=lambda mount: len(Path(mount.mountpoint).parts))
            kind = nearest.fstype.lower().removeprefix("fuse.")
            return kind in _NETWORK or "remote" in nearest.opts.split(",")
    return False
