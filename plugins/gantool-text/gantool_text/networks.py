"""The networks: an encoder of captions, and G and D conditioned on what it made of them."""

from itertools import pairwise

import torch
from gantool.api import DataSpec, map_sizes, upwards
from torch import Tensor, nn


class Encoder(nn.Module):
    """The paper's phi: the mean of a recurrent network's states over a caption's words."""

    def __init__(self, words: int, features: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words + 1, features, padding_idx=0)
        self.states = nn.GRU(features, features, batch_first=True)

    def forward(self, t: Tensor) -> Tensor:
        said = (t > 0).unsqueeze(2)
        states, _ = self.states(self.embedding(t))
        return (states * said).sum(1) / said.sum(1).clamp_min(1)  # type: ignore[no-any-return]


def condition(features: int, numbers: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, numbers), nn.LeakyReLU(0.2))


class Generator(nn.Module):
    """Noise beside what is left of the caption."""

    def __init__(self, z: int, features: int, numbers: int, width: int, data: DataSpec) -> None:
        super().__init__()
        self.condition = condition(features, numbers)
        self.draw = upwards(z + numbers, width, data)

    def forward(self, z: Tensor, phi: Tensor) -> Tensor:
        return self.draw(torch.cat([z, self.condition(phi)], 1))  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """Its coarsest maps beside the caption, repeated at each place: a convolution of 1x1, then one score."""

    def __init__(self, features: int, numbers: int, width: int, projection: bool, data: DataSpec) -> None:
        super().__init__()
        *finer, (h, w) = map_sizes(data)
        widths = [data.channels, *(width << i for i in range(len(finer)))]
        c = widths[-1]
        halved = (layer for a, b in pairwise(widths) for layer in (nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)))
        self.maps = nn.Sequential(*halved)
        self.condition = condition(features, numbers)
        self.joined = nn.Sequential(nn.Conv2d(c + numbers, c, 1), nn.LeakyReLU(0.2))
        self.score = nn.Sequential(nn.Conv2d(c, 1, (h, w)), nn.Flatten(0))
        wide = nn.Linear(c * h * w, 256)
        self.seen = nn.Sequential(nn.Flatten(), wide, nn.LeakyReLU(0.2), nn.Linear(256, features))
        self.projection = projection

    def forward(self, maps: Tensor, phi: Tensor) -> Tensor:
        """How real what `maps` saw is, as an image of this caption."""
        condition = self.condition(phi)[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        score = self.score(self.joined(torch.cat([maps, condition], 1)))
        return score + (self.seen(maps) * phi).sum(1) if self.projection else score  # type: ignore[no-any-return]
