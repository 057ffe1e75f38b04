"""What D and G are made of: D is an autoencoder, and G the half of one that makes images of numbers."""

from gantool.api import DataSpec, decoder, downwards, encoder, upwards
from torch import nn


def autoencoder(code: int, width: int, deep: bool, data: DataSpec) -> tuple[nn.Module, nn.Module]:
    """Image to code, and code to image; no norm. `deep`: BEGAN's, 3x3 kernels at every size, ten times the work."""
    if deep:
        return encoder(code, width, data), decoder(code, width, data)
    down = nn.Sequential(downwards(8 * width, width, 0.2, data), nn.Linear(8 * width, code))
    return down, upwards(code, width, data, norm=None)
