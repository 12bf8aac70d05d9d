"""Decodes image files that people bring: scans, photographs, drawings of any programme.

A file is only ever decoded by Pillow's own decoders of raster formats, none of which starts a program, and
only after its size has been checked.
"""

from __future__ import annotations

import io
import stat
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from rnnlab.data.preprocessing import DrawingError
from rnnlab.digits import FloatArray

FORMATS: Final = tuple(
    plugin.format
    for plugin in (PngImageFile, JpegImageFile, GifImageFile, BmpImageFile, TiffImageFile, WebPImageFile)
)
"""What is decoded, as Pillow calls it: to import a decoder makes it known to Pillow."""

FILE_ENDINGS: Final = ("png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp")
"""The usual endings of such files' names."""

MAX_FILE_BYTES: Final = 64_000_000
"""Largest size of a file, in bytes."""

MAX_PIXELS: Final = 64_000_000
"""Most pixels of a picture; a phone's camera has 12 to 50 million."""

WORKING_SIDE: Final = 800
"""Longer side of the picture that is worked on, in pixels; a larger one is reduced."""

_OPAQUE: Final = 128
"""Opacity from which on a pixel counts as drawn, 0 to 255."""

_EXTREMES: Final = (0.05, 99.95)
"""Percentiles between which a picture with more than 8 bits has its grey levels; it may have hot pixels."""


def read_file(path: Path) -> bytes:
    """Return the content of an image file, unless it is too large or no file at all.

    Raises:
        OSError: It cannot be opened.
        DrawingError: It is a folder, a device or a pipe, or too large.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DrawingError("This is not a file; name a picture.")
    _check_size(status.st_size)
    return path.read_bytes()


def _check_size(size: int) -> None:
    """Raise `DrawingError` if a file has more bytes than is sensible."""
    if size > MAX_FILE_BYTES:
        raise DrawingError(
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
    """
    _check_size(len(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about odd metadata: the picture is read or it is not
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _decode(image)
    except DrawingError:
        raise
    except Image.DecompressionBombError as error:
        raise DrawingError(
            f"The picture must have at most {MAX_PIXELS // 1_000_000} megapixels; make it smaller."
        ) from error
    except Exception as error:  # decoders of damaged files fail in many ways
        raise DrawingError(
            "The file is not a picture that can be read; save it as a PNG or JPEG file."
        ) from error


def _decode(image: Image.Image) -> FloatArray:
    """Decode an opened file."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DrawingError(
            f"The picture must have at most {MAX_PIXELS // 1_000_000} megapixels, "
            f"not {width} x {height}; make it smaller."
        )
    image.draft("RGB", (2 * WORKING_SIDE, 2 * WORKING_SIDE))  # a JPEG is decoded as finely as is needed
    upright = ImageOps.exif_transpose(image)
    if upright.mode[0] in "IF":
        return _from_deep(np.asarray(upright, np.float64))
    return _on_paper(np.asarray(_reduced(upright.convert("RGBA"))))


def _reduced(image: Image.Image) -> Image.Image:
    """Return a picture whose longer side is at most `WORKING_SIDE`, each pixel a mean of others."""
    if max(image.size) > WORKING_SIDE:
        image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX, reducing_gap=None)
    return image


def _from_deep(grey: NDArray[np.float64]) -> FloatArray:
    """Bring grey levels of any range to 0 to 255; what is not a number becomes the middle one."""
    finite = np.isfinite(grey)
    if not finite.any():
        return np.zeros((*grey.shape, 3), np.float32)
    low, high = np.percentile(grey[finite], _EXTREMES)
    if high <= low:
        low, high = grey[finite].min(), grey[finite].max()
    levels = np.where(finite, grey, np.median(grey[finite])).clip(low, high) - low
    levels *= 255.0 / max(high - low, np.finfo(np.float64).tiny)
    reduced = _reduced(Image.fromarray(levels.astype(np.float32)))
    return np.repeat(np.asarray(reduced, np.float32)[..., None], 3, axis=2)


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
