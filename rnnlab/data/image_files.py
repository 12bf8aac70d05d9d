"""Decodes image files: those that people bring, of any programme or camera, and those of the canvas.

No other module has Pillow decode anything. A file is only ever decoded by Pillow's own decoders of raster
formats, none of which starts a program, and only after its size has been checked.
"""

from __future__ import annotations

import errno
import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from rnnlab.data.preprocessing import MAX_CANVAS_SIDE, DrawingError
from rnnlab.digits import FloatArray
from rnnlab.system.regular_files import UnfitFileError, read_regular_file

FORMATS: Final = tuple(
    plugin.format
    for plugin in (PngImageFile, JpegImageFile, GifImageFile, BmpImageFile, TiffImageFile, WebPImageFile)
)
"""What is decoded, as Pillow calls it: to import a decoder makes it known to Pillow."""

MAX_FILE_BYTES: Final = 64_000_000
"""Largest size of a file, in bytes."""

MAX_DRAWING_BYTES: Final = 1_000_000
"""Largest size of the file of a drawing on the canvas, in bytes."""

MAX_PIXELS: Final = 64_000_000
"""Most pixels of a picture; a phone's camera has 12 to 50 million."""

MAX_WEBP_PIXELS: Final = 25_000_000
"""Most pixels of a WebP picture, whose decoder takes 16 bytes for each, four times as many as the others."""

MAX_RLE_PIXELS: Final = 4_000_000
"""Most pixels of a run-length encoded BMP picture: its decoder is in Python, and takes a second for these."""

_RLE_BYTES: Final = 6
"""Most bytes that a pixel of such a picture takes, one that ends its line included."""

_RLE_BYTES_BESIDE: Final = 10_000
"""Most bytes of such a file beside its pixels."""

MAX_SIDE: Final = 65_535
"""Longest side of a picture, in pixels: that of a JPEG file."""

WORKING_SIDE: Final = 800
"""Longer side of the picture that is worked on, in pixels; a larger one is reduced."""

_STRIP: Final = 2_000_000
"""About how many pixels of a large picture are reduced together."""

_SAMPLED: Final = 4_000_000
"""About how many pixels of a picture with more than 8 bits its range is taken from."""

_OPAQUE: Final = 128
"""Opacity from which on a pixel counts as drawn, 0 to 255."""

_EXTREMES: Final = (0.05, 99.95)
"""Percentiles between which a picture with more than 8 bits has its grey levels; it may have hot pixels."""


class ShortMemoryError(DrawingError):
    """There is not enough memory to decode a picture, which may be as good as ever."""


def read_file(path: Path) -> bytes:
    """Return the content of an image file, unless it is too large or no file at all.

    Raises:
        OSError: It cannot be opened.
        DrawingError: It is a folder, a device, a pipe or a socket, or too large.
    """
    try:
        return read_regular_file(path, MAX_FILE_BYTES)
    except UnfitFileError as error:
        if error.errno == errno.EFBIG:
            raise _too_large(path.stat().st_size) from error
        raise DrawingError(f"This is not a file ({error.strerror}); name a picture.") from error


def _too_large(size: int) -> DrawingError:
    """Return what to say of a file that has more bytes than is sensible."""
    return DrawingError(
        f"The file must have at most {MAX_FILE_BYTES // 1_000_000} MB, not {size // 1_000_000:,} MB; "
        "save the picture smaller."
    )


def load_picture(data: bytes) -> FloatArray:
    """Decode an image file of any kind that people have, upright and on opaque paper.

    Args:
        data: The file's content.

    Returns:
        Red, green and blue, 0 to 255, shape (height, width, 3), the longer side at most `WORKING_SIDE`. Grey
        levels of more than 8 bits, whole or not, are brought to 0 to 255.

    Raises:
        DrawingError: The bytes are no readable image, or too many.
        ShortMemoryError: There is not enough memory for it.
    """
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(len(data))
    with _opened(data, FORMATS, "save it as a PNG or JPEG file") as image:
        return _decode(image)


def load_drawing(data: bytes) -> NDArray[np.uint8]:
    """Decode a drawing of the canvas, a PNG file, into RGBA pixels, shape (height, width, 4).

    Raises:
        DrawingError: The bytes are no readable PNG file, or too many, or the drawing is too large.
        ShortMemoryError: There is not enough memory for it.
    """
    if len(data) > MAX_DRAWING_BYTES:
        raise DrawingError(
            f"The drawing must have at most {MAX_DRAWING_BYTES:,} bytes, not {len(data):,}; make it smaller."
        )
    with _opened(data, (PngImageFile.format,), "save the drawing as a PNG file") as image:
        if max(image.size) > MAX_CANVAS_SIDE:
            raise DrawingError(
                f"The picture must have at most {MAX_CANVAS_SIDE} x {MAX_CANVAS_SIDE} pixels, "
                f"not {image.size[0]} x {image.size[1]}; make it smaller."
            )
        return np.asarray(image.convert("RGBA"), dtype=np.uint8)


@contextmanager
def _opened(data: bytes, formats: tuple[str, ...], instead: str) -> Iterator[ImageFile]:
    """Yield an opened picture; whatever its decoder raises in the block becomes a sentence.

    Args:
        data: The file's content.
        formats: What it may be, as Pillow calls it.
        instead: What people can do if it cannot be read, in words.

    Raises:
        DrawingError: It cannot be read.
        ShortMemoryError: There is not enough memory for it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about odd metadata: the picture is read or it is not
            with Image.open(io.BytesIO(data), formats=formats) as image:
                yield image
    except DrawingError:
        raise
    except Image.DecompressionBombError as error:
        raise DrawingError(
            f"The picture must have at most {MAX_PIXELS // 1_000_000} megapixels; make it smaller."
        ) from error
    except MemoryError as error:
        raise ShortMemoryError(
            "There is not enough memory to read the picture; make it smaller, or close other programs."
        ) from error
    except Exception as error:  # decoders of damaged files fail in many ways
        raise DrawingError(f"The file is not a picture that can be read; {instead}.") from error


def _decode(image: ImageFile) -> FloatArray:
    """Decode an opened file."""
    _check_pixels(image)
    image.draft("RGB", (2 * WORKING_SIDE, 2 * WORKING_SIDE))  # a JPEG is decoded as finely as is needed
    image.load()
    if image.mode[0] in "IF":
        picture = _from_deep(image)
    else:
        picture = _on_paper(_reduced(image, lambda part: part.convert("RGBA")))
    return _upright(picture, int(image.getexif().get(ExifTags.Base.Orientation, 1)))


def _check_pixels(image: ImageFile) -> None:
    """Raise `DrawingError` if a picture has more pixels than is sensible."""
    width, height = image.size
    if max(width, height) > MAX_SIDE:
        raise DrawingError(
            f"The picture must have at most {MAX_SIDE:,} pixels a side, "
            f"not {width} x {height}; make it smaller."
        )
    if width * height > MAX_PIXELS:
        raise DrawingError(
            f"The picture must have at most {MAX_PIXELS // 1_000_000} megapixels, "
            f"not {width} x {height}; make it smaller."
        )
    if image.format == WebPImageFile.format and width * height > MAX_WEBP_PIXELS:
        raise DrawingError(
            f"A WebP picture must have at most {MAX_WEBP_PIXELS // 1_000_000} megapixels, "
            f"not {width} x {height}; make it smaller, or save it as a JPEG file."
        )
    if any(tile.codec_name == "bmp_rle" for tile in image.tile):
        _check_run_lengths(image)


def _check_run_lengths(image: ImageFile) -> None:
    """Raise `DrawingError` if a run-length encoded BMP picture would take long to decode."""
    width, height = image.size
    if width * height > MAX_RLE_PIXELS:
        raise DrawingError(
            f"A run-length encoded BMP picture must have at most {MAX_RLE_PIXELS // 1_000_000} megapixels, "
            f"not {width} x {height}; save it as a PNG file."
        )
    if (
        image.fp is not None
        and image.fp.seek(0, io.SEEK_END) > width * height * _RLE_BYTES + _RLE_BYTES_BESIDE
    ):
        raise DrawingError("The file is far larger than the BMP picture in it; save it as a PNG file.")


def _upright(picture: FloatArray, orientation: int) -> FloatArray:
    """Turn or mirror a picture as its metadata say; `orientation` is 1 to 8 as in Exif, 1 for upright."""
    if orientation in (5, 6, 7, 8):
        picture = picture.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def _reduced(image: Image.Image, prepare: Callable[[Image.Image], Image.Image]) -> NDArray[Any]:
    """Return the pixels of a picture whose longer side is at most `WORKING_SIDE`, each a mean of others.

    This is done strip by strip, so that a small file of many pixels takes little more memory than these.

    Args:
        image: The picture.
        prepare: Brings a part of it into a mode of which means can be formed.
    """
    width, height = image.size
    scale = max(1.0, max(image.size) / WORKING_SIDE)
    if scale == 1.0:
        return np.asarray(prepare(image))
    columns, rows = max(1, round(width / scale)), max(1, round(height / scale))
    together = max(1, int(_STRIP * rows / (width * height)))
    strips = []
    for first in range(0, rows, together):
        last = min(first + together, rows)
        top, bottom = first * height / rows, min(last * height / rows, height)
        above = math.floor(top)
        part = prepare(image.crop((0, above, width, math.ceil(bottom))))
        box = (0.0, top - above, float(width), bottom - above)
        strips.append(np.asarray(part.resize((columns, last - first), Image.Resampling.BOX, box)))
    return np.concatenate(strips)


def _from_deep(image: Image.Image) -> FloatArray:
    """Bring grey levels of any range to 0 to 255; what is not a number becomes the middle one."""
    apart = math.ceil(math.sqrt(image.width * image.height / _SAMPLED))  # of a large one, a grid is enough
    size = (-(-image.width // apart), -(-image.height // apart))
    sample = np.asarray(image.resize(size, Image.Resampling.NEAREST) if apart > 1 else image, np.float64)
    grey = sample[np.isfinite(sample)]
    if not grey.size:
        return np.zeros((*_reduced(image, _as_is).shape, 3), np.float32)
    low, high = np.percentile(grey, _EXTREMES)
    if high <= low:
        low, high = grey.min(), grey.max()
    middle, span = np.median(grey), max(high - low, np.finfo(np.float64).tiny)

    def levelled(part: Image.Image) -> Image.Image:
        levels = np.asarray(part, np.float64)
        levels = np.where(np.isfinite(levels), levels, middle).clip(low, high) - low
        return Image.fromarray((levels * (255.0 / span)).astype(np.float32))

    return np.repeat(_reduced(image, levelled)[..., None], 3, axis=2)


def _as_is(part: Image.Image) -> Image.Image:
    return part


def _on_paper(pixels: NDArray[np.uint8]) -> FloatArray:
    """Put a picture onto opaque paper on which it can be seen.

    If most of it is transparent, the opaque pixels are the ink: dark ink is put onto white paper, light ink
    onto black. Otherwise, the paper has the usual colour of the opaque pixels.

    Args:
        pixels: Red, green, blue and opacity, shape (height, width, 4).
    """
    colours, opacity = pixels[..., :3].astype(np.float32), pixels[..., 3]
    if opacity.min() == 255:
        return colours
    opaque = opacity >= min(_OPAQUE, max(1, int(opacity.max())))
    if not opaque.any():
        return np.zeros_like(colours)
    usual: Any = np.median(colours[opaque], axis=0)
    paper = usual if opaque.mean() > 0.5 else np.float32(255.0 if usual.mean() < 128 else 0.0)
    share = opacity[..., None] / np.float32(255.0)
    return np.asarray(colours * share + paper * (1 - share), np.float32)
