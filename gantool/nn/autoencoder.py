"""The two halves of an autoencoder of images (Berthelot et al., 2017, figure 1): no norm, ELU, 3x3 kernels."""

from math import prod

from torch import nn

from gantool.data.images import DataSpec
from gantool.nn.blocks import map_sizes, mlp, output_padding
from gantool.nn.convolutions import ThinConv, UpsampledConv


def encoder(features: int, width: int, data: DataSpec) -> nn.Module:
    """An image to numbers: at each halving the channels grow by `width`. For points, an MLP."""
    if not data.images:
        return mlp([data.channels, 8 * width, 8 * width, features])
    *finer, coarsest = map_sizes(data, 8)
    layers: list[nn.Module] = [nn.Conv2d(data.channels, width, 3, 1, 1), nn.ELU()]
    for c in (width * i for i in range(1, len(finer) + 1)):
        layers += [nn.Conv2d(c, c, 3, 1, 1), nn.ELU(), nn.Conv2d(c, c + width, 4, 2, 1), nn.ELU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * (len(finer) + 1) * prod(coarsest), features))


def decoder(inputs: int, width: int, data: DataSpec) -> nn.Module:
    """Numbers to an image: all maps have `width` channels, and the last is not held to [-1, 1]. For points, an MLP."""
    if not data.images:
        return mlp([inputs, 8 * width, 8 * width, data.channels])
    *finer, coarsest = map_sizes(data, 8)
    layers: list[nn.Module] = [nn.Linear(inputs, width * prod(coarsest)), nn.Unflatten(1, (width, *coarsest))]
    for side in reversed(finer):
        up = UpsampledConv(width, width, extra=output_padding(side))
        layers += [nn.Conv2d(width, width, 3, 1, 1), nn.ELU(), up, nn.ELU()]
    return nn.Sequential(*layers, ThinConv(width, data.channels))
