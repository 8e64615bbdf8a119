"""Images in the rows of a claim, for its figure."""

import base64
import io

import numpy as np
from PIL import Image


def packed(image: np.ndarray) -> np.ndarray | str:
    """An image (H, W, C) of floats from 0 to 1, in 8 bits: a PNG in base64 if it has three channels, since its numbers take five
    times as much space in a report; else the mean of its channels (H, W)."""
    if image.shape[-1] != 3:
        return np.round(255 * image.mean(-1)).astype(int)
    with io.BytesIO() as file:
        Image.fromarray(np.round(255 * image).astype(np.uint8)).save(file, "png", optimize=True)
        return base64.b64encode(file.getvalue()).decode()


def unpacked(pixels) -> np.ndarray:
    """The image that `packed` gave, (H, W, 3) or (H, W), in 8 bits."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(pixels))) if isinstance(pixels, str) else pixels)
