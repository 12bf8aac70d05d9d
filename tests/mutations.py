"""Damages files at random: their bytes, or what is packed in them, with checksums that are right again."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

Mutate = Callable[[random.Random, bytes], bytes]
"""Returns a damaged copy of a file."""

_NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Lengths, counts and offsets at which programs err."""


def mutated(chance: random.Random, content: bytes) -> bytes:
    """Return a file with one to four places damaged: bytes changed, numbers replaced, pieces moved or cut."""
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        _damage(chance, damaged)
    return bytes(damaged)


def _damage(chance: random.Random, damaged: bytearray) -> None:
    # Headers are at the beginning, directories at the end: half of all damage is done there.
    length = max(1, len(damaged))
    place = chance.choice((chance.randrange(length), chance.randrange(min(64, length))))
    if chance.random() < 0.1:
        place = length - 1 - chance.randrange(min(64, length))
    piece = damaged[place : place + chance.choice((1, 2, 4, 16, 200))]
    match chance.randrange(7):
        case 0 | 1:
            damaged[place : place + 1] = bytes([chance.randrange(256)])
        case 2:
            number = struct.pack(chance.choice(("<I", ">I")), chance.choice(_NUMBERS))
            width = chance.choice((2, 4))
            damaged[place : place + width] = number[:width] if chance.random() < 0.5 else number[-width:]
        case 3:
            damaged[place:place] = piece * chance.choice((1, 1, 30))
        case 4:
            del damaged[place : place + len(piece)]
        case 5:
            damaged[place : place + len(piece)] = bytes([chance.choice((0, 0xFF))]) * len(piece)
        case _:
            if chance.random() < 0.3:
                del damaged[place:]
            else:
                damaged[place : place + 1] = bytes(
                    [damaged[place] ^ 1 << chance.randrange(8)] if damaged else []
                )


def mutated_png(chance: random.Random, content: bytes) -> bytes:
    """Return a PNG file of which one chunk is damaged, pixels also inside of their compression."""
    chunks, place = [], 8
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    which = chance.randrange(len(chunks))
    kind, data = chunks[which]
    if kind == b"IDAT" and chance.random() < 0.5:
        chunks[which] = kind, zlib.compress(mutated(chance, zlib.decompress(data)))
    else:
        chunks[which] = kind, mutated(chance, data)
    if chance.random() < 0.1:
        chunks.insert(chance.randrange(len(chunks)), chance.choice(chunks))
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def mutated_zip(chance: random.Random, content: bytes) -> bytes:
    """Return an archive of which one entry is damaged, gone, renamed, or there twice, packed or not."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    which = chance.randrange(len(entries))
    name, data = entries[which]
    if chance.random() < 0.85:
        entries[which] = name, mutated(chance, data)
    elif chance.random() < 0.5:
        del entries[which]
    else:
        entries[which] = chance.choice((chance.choice(entries)[0], name[1:], name + "/")), data
    file = io.BytesIO()
    packing = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(file, "w", packing) as archive:
        for entry, data in entries:
            archive.writestr(zipfile.ZipInfo(entry), data, packing)
    return file.getvalue()


def mutated_gzip(chance: random.Random, content: bytes) -> bytes:
    """Return a packed file that is damaged inside of its compression."""
    return gzip.compress(mutated(chance, gzip.decompress(content)), 1)
