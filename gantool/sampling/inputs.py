"""Images from a program, read as their files would be."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from gantool.data import decoding
from gantool.data.images import DataSpec, as_bytes
from gantool.errors import USAGE, UserError

GREY = ("1", "L", "LA", "I", "F", "I;16")


def as_inputs(images: Any, spec: DataSpec, natural: bool) -> Iterator[Tensor]:
    """Each as bytes (1, C, H, W), at the size that the model wants: as the file of it would be read."""
    size, channels = (None, None) if natural else (spec.size, spec.channels)
    one = hasattr(images, "convert") or (isinstance(images, np.ndarray | Tensor) and images.ndim < 4)
    for image in [images] if one else getattr(images, "arrays", images):
        opened, file = as_image(image), BytesIO()
        opened.save(file, "PNG", compress_level=0)
        file.seek(0)
        its_own = 4 if opened.has_transparency_data else 1 if opened.mode in GREY else 3
        try:
            pixels = decoding.pixels(file, size, decoding.MODES[channels or its_own])
            yield torch.from_numpy(pixels).unsqueeze(0)
        except decoding.Refused as error:
            raise UserError(f"An image cannot be used: {error}.", code=USAGE) from None


def as_image(image: Any) -> Image.Image:
    """Of an image, an array (H, W) or (H, W, C), or a tensor (C, H, W); what are no bytes are numbers in [-1, 1]."""
    if isinstance(image, Image.Image):
        upright = ImageOps.exif_transpose(image)
        return upright if upright.mode in (*GREY, "P", "RGB", "RGBA") else upright.convert("RGB")
    x = image if isinstance(image, Tensor) else torch.tensor(np.atleast_3d(image)).permute(2, 0, 1)
    if x.ndim != 3 or len(x) not in (1, 3, 4):
        wanted = "A tensor is (n, C, H, W), an array (H, W, C), of bytes or of floats in [-1, 1]."
        raise UserError(f"An image has 1, 3 or 4 channels, and not the shape {tuple(image.shape)}.", wanted, USAGE)
    array = (x.cpu() if x.dtype == torch.uint8 else as_bytes(x)).permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
