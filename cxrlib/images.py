"""Radiographs as numbers: decoded once into one uint8 array, augmented and normalised in batches.

Decoding and resizing cost more than the training step that uses the image, so both are done once. The array lies in a
cache folder (``CXR_CACHE``, default ``~/.cache/cxrlib``), memory-mapped, under a name made from the files' contents:
a changed image is another array, and a second run on the same images starts at once.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, ImagePalette, TiffImagePlugin

from cxrlib import dicom
from cxrlib.dicom import is_dicom, white
from cxrlib.files import InputError, atomic, sha256

DECODER = 2  # raise when decode() changes, so that old arrays are not found
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, of red, green and blue
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "JPEG2000", "PPM", "AVIF")  # Pillow's names of those read
SUFFIXES = set(
    ".png .apng .jpg .jpeg .jpe .jfif .mpo .tif .tiff .bmp .dib .gif .webp .jp2 .j2k .j2c .jpc .jpf .jpx .pgm .ppm .pnm .pbm .pfm .avif .dcm .dicom".split()
)  # of picture files
TiffImagePlugin.OPEN_INFO |= {  # grey TIFFs that Pillow's table lacks beside others that it has: byte order, zero is white, depth
    (b"MM", 0, (1,), 1, (16,), ()): ("I;16B", "I;16B"),
    (b"II", 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (b"MM", 0, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (b"MM", 1, (1,), 1, (12,), ()): ("I;16", "I;12"),
}


def _deep(pixels: np.ndarray, full: int = 0, most: int = 65535) -> np.ndarray:
    """Samples of more than 8 bits as shares of white.

    White is ``full``; without it 1 for fractions and for integers the smallest usual depth that holds the largest, but no more than ``most``.
    """
    top = pixels.max(initial=0)
    if not np.isfinite(pixels).all() or pixels.min(initial=0) < 0 or top > 65535:
        raise ValueError("pixel values outside 0 to 65535")
    fractions = pixels.dtype.kind == "f"
    if fractions and 1 < top < 64 and (pixels % 1).any():
        raise ValueError(f"fractions up to {top:g}, of no known scale")
    return pixels.astype(np.float64) / (full or (1 if fractions and top <= 1 else min(white(top), most)))


def _raw(image: Image.Image) -> str:
    """How a file's samples lie in it, in Pillow's words: ``RGB;16B``, ``L;4``; empty where its reader does not say."""
    arguments = image.tile[0].args if image.tile else ""
    return arguments if isinstance(arguments, str) else str(arguments[0])


def _one_picture(image: Image.Image) -> None:
    """Refuse pages and animations; a second JPEG in one file, and a TIFF's reduced copies and masks, are no second picture."""
    pages = [] if image.format == "MPO" else list(range(getattr(image, "n_frames", 1)))
    if len(pages) > 1 and image.format == "TIFF":
        pages = [page for page in pages if not (image.seek(page) or image.tag_v2.get(254, 0) & 5)]  # 254: NewSubfileType
    if len(pages) > 1:
        raise ValueError(f"it holds {len(pages)} pictures, not one radiograph")
    if image.format == "TIFF" and pages:
        image.seek(pages[0])


def _depth(path: str | Path, image: Image.Image) -> tuple[bool, int]:
    """Whether the file holds colour of which Pillow drops the lower byte, and what white is in its grey of 16 bits, 0 if nothing says so."""
    if image.format == "JPEG2000":
        bits = _precision(path)
        return bits == 16 and not image.mode.startswith("I;16"), (2**bits - 1) << (16 - bits) if 8 < bits < 16 else 0  # put at the top
    if image.format == "PPM":
        white = image.tile[0].args[-1] if isinstance(image.tile[0].args, tuple) else {"I": 65535}.get(image.mode, 255)
        return image.mode == "RGB" and white == 65535, 65535 if image.mode == "I" and white != 65535 else 0  # scaled to it
    bits = max(np.atleast_1d(getattr(image, "tag_v2", {}).get(258, 8)))  # TIFF's BitsPerSample
    return image.mode in {"RGB", "RGBA", "CMYK"} and (bits == 16 or ";16" in _raw(image)), 0


def _halves(path: str | Path, image: Image.Image) -> np.ndarray | None:
    """Samples of 16 bits a channel ``(H, W, C)``, of which Pillow gives the high byte: read once as each end; None where that cannot be.

    Grey with alpha has two channels. What was multiplied by alpha comes without it: it lies on black already.
    """
    raw, tags = _raw(image), getattr(image, "tag_v2", {})
    if raw == "LA;16B":
        parts = _as_raw(path, lambda raw: "RGBA")  # (H, W, 4): both bytes of grey, both of alpha
        return parts[..., 0::2] * 256 + parts[..., 1::2]
    if image.mode == "CMYK" or image.format not in {"PNG", "TIFF"}:
        return None
    by_libtiff = image.tile[0].codec_name == "libtiff"
    if by_libtiff and tags.get(284) == 2:  # planes apart
        return None
    own = "B" if (sys.byteorder == "big" if by_libtiff else not tags or tags.prefix == b"MM") else "L"
    high, low = (_as_raw(path, lambda raw, end=end: f"{raw.split(';')[0].upper()};16{end}") for end in (own, {"B": "L", "L": "B"}[own]))
    return (high * 256 + low)[..., : 3 if tags.get(338) == (1,) else None]  # ExtraSamples: multiplied


def _as_raw(path: str | Path, name: Callable[[str], str]) -> np.ndarray:
    """A picture's bytes ``(H, W, C)``, uint16, unpacked by another of Pillow's names for how they lie."""
    with Image.open(path, formats=FORMATS) as image:
        image.tile = [
            tile._replace(args=name(tile.args) if isinstance(tile.args, str) else (name(tile.args[0]), *tile.args[1:]))
            for tile in image.tile
        ]
        return np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)


def _precision(path: str | Path) -> int:
    """Bits per sample of a JPEG 2000 file, from its SIZ segment (ISO 15444-1, A.5.1)."""
    with open(path, "rb") as file:
        _, _, segment = file.read(2**16).partition(b"\xff\x4f\xff\x51")
    return (segment[38] & 0x7F) + 1 if len(segment) > 38 else 16


def _file(path: str | Path) -> Image.Image:
    """A file that Pillow reads as 8-bit grey.

    More than 8 bits are scaled by the smallest usual depth (8, 10, 12, 14, 16) that holds the largest value, since a
    12-bit detector's image is stored in 16; fractions up to 1 are shares of white. Colour (RGB, CMYK, palette) becomes
    ITU-R 601 luma, transparency black. A PNG's gamma is obeyed, colour profiles are not.
    """
    with Image.open(path, formats=FORMATS) as image:
        _one_picture(image)
        kind, raw, tags, info = image.format, _raw(image), getattr(image, "tag_v2", {}), image.info
        halved, full = _depth(path, image)
        samples = _halves(path, image) if halved else None
        if image.mode == "P" and (colours := tags.get(320)) and max(colours) < 256:  # a palette of 8 bits where 16 belong
            image.palette = ImagePalette.raw("RGB;L", bytes(colours))
        image = ImageOps.exif_transpose(image) if samples is None else image
    gamma = 1 if "srgb" in info or "icc_profile" in info else 1 / (2.2 * (info.get("gamma") or 1 / 2.2))
    gamma = gamma if abs(gamma - 1) > 0.05 else 1  # libpng's threshold
    clear, signed, inverse = info.get("transparency"), tags.get(339) == (2,), tags.get(262) == 0  # SampleFormat, white is zero
    if samples is not None:
        return _of_share(_luma(samples, clear, gamma))
    if image.mode in {"I;16", "I;16B", "I;16L", "I", "F"}:
        pixels = np.asarray(image)
        share = _deep(pixels, full, 2**15 - 1 if signed else 65535) ** gamma
        return _of_share(np.where(pixels == clear, 0, share) if clear is not None else 1 - share if inverse else share)
    if signed and image.getextrema()[1] > 127:
        raise ValueError("pixel values below 0")
    if halved and max(band.getextrema()[1] for band in image.split()[:3]) < 64:
        raise ValueError("16 bits a channel, of which the lower 8 cannot be read")
    clear = clear * {"L;2": 85, "L;4": 17}.get(raw, 1) if isinstance(clear, int) and image.mode == "L" else clear
    return _shallow(image, clear, gamma, kind)


def _of_share(share: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(255 * share).astype(np.uint8))


def _luma(samples: np.ndarray, clear, gamma: float) -> np.ndarray:
    """Shares of white of samples ``(H, W, C)`` of 16 bits: grey with alpha, red green blue, or those with alpha; what is ``clear`` is black."""
    count = samples.shape[2]
    share = _deep(samples[..., : 1 if count == 2 else 3]) ** gamma
    share = share @ (LUMA if count > 2 else [1.0])
    if count in {2, 4}:
        share = share * _deep(_visible(samples[..., -1]))
    return np.where((samples == clear).all(2), 0, share) if isinstance(clear, tuple) else share


def _visible(alpha: np.ndarray) -> np.ndarray:
    if not alpha.any():
        raise ValueError("every pixel is transparent")
    return alpha


def _shallow(image: Image.Image, clear, gamma: float, kind: str) -> Image.Image:
    """A Pillow image of 8 bits a channel as grey, ``clear`` its transparent value, colour or list of alphas."""
    if image.mode in {"LA", "PA", "RGBA", "La", "RGBa"} or clear is not None:
        if image.mode == "1":
            image = image.convert("L")
        if clear is not None:
            image.info["transparency"] = clear
        image = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
        alpha = image.getchannel("A")
        if kind in {"BMP", "DIB"} and not alpha.getextrema()[1]:  # written by programs that leave the fourth byte at zero
            alpha = Image.new("L", image.size, 255)
        _visible(np.asarray(alpha))
        colour = _brightened(image.convert("RGB"), gamma)
        colour.putalpha(alpha)
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), colour)
        gamma = 1
    if image.mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return _brightened(image, gamma).convert("L")


def _brightened(image: Image.Image, gamma: float) -> Image.Image:
    return image if gamma == 1 else image.point([round(255 * (value / 255) ** gamma) for value in range(256)] * len(image.getbands()))


def is_picture(path: str | Path) -> bool:
    """True for a file whose suffix, DICOM mark or content is that of a picture, even of one that cannot be read."""
    if Path(path).suffix.lower() in SUFFIXES:
        return True
    try:
        if is_dicom(path):
            return True
        with Image.open(path, formats=FORMATS):
            return True
    except Image.UnidentifiedImageError:
        return False
    except Exception:  # reading it will tell
        return True


def regular(path: str | Path, name: str | None = None) -> None:
    """Refuse what is no regular file: a folder, a pipe, whose bytes come only once, a device. FileNotFoundError where nothing is."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise InputError(f"{name or path}: image file is a folder, pipe or device; a regular file is needed")


def read_image(path: str | Path, name: str | None = None) -> Image.Image:
    """One radiograph as a Pillow image of mode ``L`` (8-bit grey) at its own size: DICOM, or one of :data:`FORMATS`.

    The format is told by the content, so a wrong extension does no harm; ``.dcm`` or ``.dicom`` is needed only by DICOM
    without its mark. What decides a grey value is applied as :func:`cxrlib.dicom.read` and the file's own standard say; what
    cannot be known is refused. ``name`` replaces the path in errors.

    Raises:
        InputError: no such file, an empty, truncated or otherwise undecodable one. One line naming the file.
    """
    name = name or str(path)
    try:
        regular(path, name)
        if os.path.getsize(path) == 0:
            raise InputError(f"{name}: image file is empty (0 bytes)")
        if is_dicom(path):
            return dicom.read(path, name)
        return _file(path)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: image file does not exist") from None
    except Image.UnidentifiedImageError:
        if Path(path).suffix.lower() in {".dcm", ".dicom"}:
            return dicom.read(path, name)
        raise InputError(f"{name}: image file is of no known image format") from None
    except Exception as error:  # a damaged file may raise anything in Pillow's readers
        raise InputError(f"{name}: image file cannot be decoded ({error or type(error).__name__})") from None


def square(image: Image.Image, size: int) -> np.ndarray:
    """A Pillow image as ``(size, size)``, squashed to a square by bilinear resampling with antialiasing."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def decode(path: str | Path, size: int, name: str | None = None) -> np.ndarray:
    """One radiograph as uint8, shape ``(size, size)``: :func:`read_image`, then :func:`square`. Errors as there."""
    return square(read_image(path, name), size)


def stored_size(path: str | Path, name: str | None = None) -> tuple[int, int]:
    """Width and height in pixels from the file's header, nothing decoded. :class:`InputError` as :func:`decode`."""
    try:
        regular(path, name)
        with Image.open(path, formats=FORMATS) as image:
            return image.size
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name or path}: image file cannot be opened ({error})") from None


def cache_folder(cache: str | Path | None = None) -> Path:
    """Where arrays are kept between runs: the argument, else ``CXR_CACHE``, else ``~/.cache/cxrlib``."""
    return Path(cache or os.environ.get("CXR_CACHE") or Path.home() / ".cache" / "cxrlib")


def load(root: str | Path, paths: Sequence[str], size: int = 224, cache: str | Path | None = None) -> tuple[np.ndarray, list[str]]:
    """All radiographs as one read-only memory-mapped uint8 array, shape ``(N, size, size)``, and each file's SHA-256.

    Args:
        root: the data folder; ``paths`` are relative to it.
        cache: folder for the array; default ``CXR_CACHE``, else ``~/.cache/cxrlib``.

    Raises:
        InputError: the first undecodable image, in one line; nothing is left in the cache then.
    """
    root = Path(root)
    for path in paths:
        if not (root / path).is_file():
            raise InputError(f"{path}: image file does not exist")
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(lambda path: sha256(root / path), paths))
    key = hashlib.sha256(f"{DECODER},{size},{','.join(hashes)}".encode()).hexdigest()[:32]
    file = cache_folder(cache) / f"images-{key}.npy"
    if not file.is_file():
        with atomic(file) as temporary:
            array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(len(paths), size, size))
            with ThreadPoolExecutor() as pool:
                for i, pixels in enumerate(pool.map(lambda path: decode(root / path, size, path), paths)):
                    array[i] = pixels
            array.flush()
            del array
    return np.load(file, mmap_mode="r"), hashes


def fingerprint(image_ids: Sequence[str], hashes: Sequence[str]) -> str:
    """SHA-256 of the sorted lines ``image_id,sha256(file)``: the same for the same images, whatever their order."""
    lines = sorted(f"{image_id},{digest}" for image_id, digest in zip(image_ids, hashes, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def normalise(x: torch.Tensor) -> torch.Tensor:
    """Grey ``(B, 1, H, W)`` in 0…1 to what ImageNet networks expect: three equal channels ``(B, 3, H, W)``, standardised per channel."""
    mean = x.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = x.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (x - mean) / std


def to_tensor(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` to float32 ``(B, 1, H, W)`` in 0…1."""
    return torch.from_numpy(np.array(pixels)).to(device).unsqueeze(1).float() / 255.0


def prepare(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` as a network takes it when nothing is augmented: ``(B, 3, H, W)``, standardised, channels last."""
    return normalise(to_tensor(pixels, device)).contiguous(memory_format=torch.channels_last)


def affine(angle: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Sampling matrices ``(B, 2, 3)`` for :func:`torch.nn.functional.affine_grid` on square images.

    The image is flipped (``flip`` true), scaled by ``scale`` and rotated by ``angle`` radians clockwise about its
    centre, then moved by ``shift`` ``(B, 2)``, in shares of the side, right and down. The sampling matrix maps output
    to input, so it is the inverse: ``x_in = F S⁻¹ R⁻¹ (x_out - t)``, with ``t = 2 shift`` as the grid runs from -1 to 1.
    """
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    linear = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)  # (B, 2, 2)
    mirror = torch.where(flip, -1.0, 1.0)
    linear = torch.stack([linear[:, 0] * mirror[:, None], linear[:, 1]], 1)
    return torch.cat([linear, -linear @ (2.0 * shift)[:, :, None]], 2)


def augment(
    x: torch.Tensor, rng: torch.Generator, *, rotate: float, scale: tuple[float, float], translate: float, hflip: float
) -> torch.Tensor:
    """Turn, scale, shift and mirror each image at random; outside the picture is black. ``(B, 1, H, W)`` to the same.

    Args:
        rng: a CPU generator, so that the same seed gives the same draws on every device.
        rotate: largest angle, degrees, either way. scale: lowest and highest factor.
        translate: largest shift, share of the side, either way and axis. hflip: probability of a mirror image.
    """
    u = torch.rand(len(x), 5, generator=rng)  # drawn even where unused: a changed setting leaves the others' draws alone
    angle = (2 * u[:, 0] - 1) * math.radians(rotate)
    factor = scale[0] + u[:, 1] * (scale[1] - scale[0])
    shift = (2 * u[:, 2:4] - 1) * translate
    matrix = affine(angle, factor, shift, u[:, 4] < hflip).to(x.device)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
