"""Drawings as the files that people have: scans, photographs, screenshots, files of other programmes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Ink = NDArray[np.float64]
"""Share of ink in each pixel, 0 to 1, shape (height, width)."""

Kind = Callable[[Ink, np.random.Generator], bytes]


def _file(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _colours(levels: NDArray[Any]) -> Image.Image:
    """Return levels of 0 to 255, grey or colours, as an image of three colours."""
    pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB")


def _mixed(ink: Ink, pen: tuple[int, int, int], paper: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return ink of one colour on paper of another."""
    share = ink[..., None]
    return np.asarray(share * np.array(pen, np.float64) + (1 - share) * np.array(paper, np.float64))


def _places(ink: Ink) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far down and how far across each pixel lies, 0 to 1."""
    down, across = np.mgrid[0 : 1 : complex(ink.shape[0]), 0 : 1 : complex(ink.shape[1])]
    return down, across


def _light(ink: Ink, rng: np.random.Generator, strength: float = 40.0) -> NDArray[np.float64]:
    """Return paper that is lit from one side, with noise."""
    down, across = _places(ink)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * (across - 0.5) + np.sin(angle) * (down - 0.5)
    return np.asarray(205 + strength * slope + rng.normal(0, 4, ink.shape))


def _paper_around(ink: Ink, factor: float) -> Ink:
    """Return the drawing in the middle of a larger sheet."""
    height, width = (round(side * factor) for side in ink.shape)
    sheet = np.zeros((height, width))
    top, left = (height - ink.shape[0]) // 2, (width - ink.shape[1]) // 2
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


def canvas(ink: Ink, rng: np.random.Generator) -> bytes:
    """White on black, as the page's canvas is."""
    return _file(_colours(255 * ink))


def black_on_white(ink: Ink, rng: np.random.Generator) -> bytes:
    """A screenshot of a drawing programme."""
    return _file(_colours(255 - 255 * ink))


def coloured(ink: Ink, rng: np.random.Generator) -> bytes:
    """Ink of some colour on paper of another."""
    pairs = [
        ((20, 40, 160), (250, 245, 230)),
        ((200, 30, 30), (255, 255, 255)),
        ((240, 220, 60), (255, 255, 255)),
        ((60, 160, 60), (200, 120, 120)),
        ((255, 255, 255), (0, 90, 60)),
        ((250, 120, 0), (30, 30, 60)),
        ((230, 60, 60), (60, 130, 60)),
    ]
    pen, paper = pairs[rng.integers(len(pairs))]
    return _file(_colours(_mixed(ink, pen, paper) + rng.normal(0, 2, (*ink.shape, 1))), "JPEG", quality=85)


def black_on_transparent(ink: Ink, rng: np.random.Generator) -> bytes:
    """A drawing exported without its background."""
    pixels = np.zeros((*ink.shape, 4), np.uint8)
    pixels[..., 3] = 255 * ink
    return _file(Image.fromarray(pixels))


def white_on_transparent(ink: Ink, rng: np.random.Generator) -> bytes:
    """The same with a white pen."""
    pixels = np.full((*ink.shape, 4), 255, np.uint8)
    pixels[..., 3] = 255 * ink
    return _file(Image.fromarray(pixels), "WEBP", lossless=True)


def chalk(ink: Ink, rng: np.random.Generator) -> bytes:
    """Chalk on a grey board, with noise."""
    return _file(_colours(60 + rng.normal(0, 8, ink.shape) + ink * 150))


def dusty_board(ink: Ink, rng: np.random.Generator) -> bytes:
    """Chalk on a green board that was wiped badly."""
    clouds = Image.fromarray(rng.normal(0, 1, (9, 9)).astype(np.float32)).resize(ink.shape[::-1])
    dust = 14 * np.asarray(clouds, np.float64)[..., None]
    levels = _mixed(0.8 * ink, (235, 235, 225), (45, 85, 65)) + dust + rng.normal(0, 6, (*ink.shape, 1))
    return _file(_colours(levels), "JPEG", quality=70)


def photograph(ink: Ink, rng: np.random.Generator) -> bytes:
    """A photograph of paper in light from one side, a little blurred."""
    photo = _colours(_light(ink, rng) * (1 - 0.75 * ink)).filter(ImageFilter.GaussianBlur(1.2))
    return _file(photo, "JPEG", quality=60)


def dim_photograph(ink: Ink, rng: np.random.Generator) -> bytes:
    """The same in bad light: dark, noisy, brighter at a lamp, with a dark corner."""
    down, across = _places(ink)
    lamp = np.exp(-((across - rng.uniform()) ** 2 + (down - rng.uniform()) ** 2) / 0.5)
    levels = (50 + 90 * lamp) * (1 - 0.6 * ink) + rng.normal(0, 6, ink.shape)
    return _file(_colours(levels), "JPEG", quality=75)


def shadow(ink: Ink, rng: np.random.Generator) -> bytes:
    """A photograph with the shadow of a hand over a part of the paper."""
    down, across = _places(ink)
    edge = across + rng.uniform(-0.6, 0.6) * (down - 0.5) - rng.uniform(0.25, 0.75)
    darker = 1 - 0.35 / (1 + np.exp(-edge / 0.02))
    photo = _colours(_light(ink, rng, 20) * darker * (1 - 0.75 * ink)).filter(ImageFilter.GaussianBlur(1))
    return _file(photo, "JPEG", quality=75)


def lying(ink: Ink, rng: np.random.Generator) -> bytes:
    """A photograph that lies on its side, with a note about it in its EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = _colours(_light(ink, rng) * (1 - 0.75 * ink)).transpose(Image.Transpose.ROTATE_90)
    return _file(photo, "JPEG", quality=80, exif=exif)


def on_a_table(ink: Ink, rng: np.random.Generator) -> bytes:
    """A photograph of a sheet that lies askew on a darker table."""
    sheet, large = _paper_around(ink, 1.15), _paper_around(np.zeros(ink.shape), 1.7)
    top, left = ((large.shape[axis] - sheet.shape[axis]) // 2 for axis in (0, 1))
    levels = np.full(large.shape, rng.uniform(60, 110))
    levels[top : top + sheet.shape[0], left : left + sheet.shape[1]] = 225 * (1 - 0.75 * sheet)
    turned = Image.fromarray(levels).rotate(
        rng.uniform(-6, 6), Image.Resampling.BILINEAR, fillcolor=float(levels[0, 0])
    )
    photo = np.asarray(turned) + rng.normal(0, 4, large.shape)
    return _file(_colours(photo), "JPEG", quality=80)


def _ruled(ink: Ink, rng: np.random.Generator, *, squared: bool) -> bytes:
    """Paper with printed lines, photographed a little askew."""
    down, across = np.mgrid[: ink.shape[0], : ink.shape[1]]
    tilt, gap, phase = rng.uniform(-0.03, 0.03), rng.uniform(28, 45), rng.uniform(0, 30)
    lines = ((down + tilt * across + phase) % gap) < 2.5
    if squared:
        lines |= ((across - tilt * down + phase) % gap) < 2.5
    printed = 1 - rng.uniform(0.2, 0.5) * lines
    levels = _light(ink, rng, 25) * np.minimum(printed, 1 - 0.8 * ink)
    return _file(_colours(levels).filter(ImageFilter.GaussianBlur(0.7)), "JPEG", quality=80)


def ruled_paper(ink: Ink, rng: np.random.Generator) -> bytes:
    """A sheet of a notebook with lines."""
    return _ruled(ink, rng, squared=False)


def squared_paper(ink: Ink, rng: np.random.Generator) -> bytes:
    """A sheet of a notebook with squares."""
    return _ruled(ink, rng, squared=True)


def pencil(ink: Ink, rng: np.random.Generator) -> bytes:
    """A faint pencil on paper with grain."""
    grain = rng.normal(0, 5, ink.shape)
    return _file(_colours(230 + grain - 45 * ink * rng.uniform(0.6, 1, ink.shape)), "JPEG", quality=85)


def sixteen_bits(ink: Ink, rng: np.random.Generator) -> bytes:
    """A picture of a scanner with 16 bits, and noise."""
    deep = np.clip(ink * 60000 + rng.uniform(0, 700, ink.shape), 0, 65535).astype(np.uint16)
    return _file(Image.fromarray(deep))


def dark_sixteen_bits(ink: Ink, rng: np.random.Generator) -> bytes:
    """The same, underexposed, dark ink on lighter paper."""
    deep = 900 - 600 * ink + rng.normal(0, 20, ink.shape)
    return _file(Image.fromarray(deep.clip(0).astype(np.uint16)), "TIFF")


def float_tiff(ink: Ink, rng: np.random.Generator) -> bytes:
    """A picture of a scientific programme: numbers of any size, one of them missing."""
    levels = (0.2 + 0.003 * (1 - ink) + rng.normal(0, 1e-4, ink.shape)).astype(np.float32)
    levels[3, 3] = np.nan
    return _file(Image.fromarray(levels), "TIFF")


def jpeg_10(ink: Ink, rng: np.random.Generator) -> bytes:
    """A JPEG of quality 10."""
    return _file(_colours(255 * ink), "JPEG", quality=10)


def palette_gif(ink: Ink, rng: np.random.Generator) -> bytes:
    """A GIF with few colours, dithered."""
    image = _colours(_mixed(ink, (10, 20, 120), (240, 235, 200))).quantize(8)
    return _file(image, "GIF")


def cmyk(ink: Ink, rng: np.random.Generator) -> bytes:
    """A JPEG for a printing press."""
    return _file(_colours(_mixed(ink, (30, 30, 90), (245, 245, 240))).convert("CMYK"), "JPEG", quality=80)


def one_bit(ink: Ink, rng: np.random.Generator) -> bytes:
    """A fax: black or white and nothing between."""
    return _file(_colours(255 - 255 * ink).convert("1", dither=Image.Dither.NONE), "TIFF")


def speck(ink: Ink, rng: np.random.Generator) -> bytes:
    """The canvas with a speck in a corner."""
    marked = ink.copy()
    rows, columns = np.nonzero(ink)
    start = 6 if rows.min() + columns.min() > 60 else ink.shape[0] - 12
    marked[start : start + 4, start : start + 4] = 1
    return canvas(marked, rng)


def palm(ink: Ink, rng: np.random.Generator) -> bytes:
    """Paper with the print of a palm beside the digit, as dark as the ink but smaller."""
    sheet = _paper_around(ink, 1.5)
    down, across = np.mgrid[: sheet.shape[0], : sheet.shape[1]]
    low, right = 0.88 * sheet.shape[0], 0.88 * sheet.shape[1]
    blob = np.exp(-(((down - low) / 14) ** 2) - ((across - right) / 9) ** 2)
    return _file(_colours(250 * (1 - 0.8 * np.maximum(sheet, 0.9 * (blob > 0.4)))))


def scan(ink: Ink, rng: np.random.Generator) -> bytes:
    """A scan of twelve megapixels."""
    large = Image.fromarray((255 - 255 * ink).astype(np.uint8)).resize((2240, 2240))
    page = Image.new("L", (3000, 4000), 245)
    page.paste(large, (380, 900))
    return _file(page, "JPEG", quality=85)


def small_on_a_page(ink: Ink, rng: np.random.Generator) -> bytes:
    """A photograph of a whole sheet with one digit on it."""
    sheet = _paper_around(ink, 4)
    moved = np.roll(sheet, rng.integers(-280, 280, 2), (0, 1))
    return _file(_colours(_light(sheet, rng) * (1 - 0.75 * moved)), "JPEG", quality=80)


KINDS: Final[Mapping[str, Kind]] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        canvas,
        black_on_white,
        coloured,
        black_on_transparent,
        white_on_transparent,
        chalk,
        dusty_board,
        photograph,
        dim_photograph,
        shadow,
        lying,
        on_a_table,
        ruled_paper,
        squared_paper,
        pencil,
        sixteen_bits,
        dark_sixteen_bits,
        float_tiff,
        jpeg_10,
        palette_gif,
        cmyk,
        one_bit,
        speck,
        palm,
        scan,
        small_on_a_page,
    )
}
"""All kinds, the plain canvas first."""
