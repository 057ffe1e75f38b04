"""A network that draws an image as another."""

import torch
from gantool.api import DataSpec, Resize
from torch import Tensor, nn

MAPS, COARSE = 3, 7  # maps that noise is made, and the side they are made with


class Painter(nn.Module):
    """G(x, z): z, made smooth maps, beside the colours; residual blocks at half the size; and x again at the end."""

    def __init__(self, data: DataSpec, z: int, width: int, blocks: int) -> None:
        super().__init__()
        size, c = (data.height, data.width), data.channels
        coarse = nn.Unflatten(1, (MAPS, COARSE, COARSE))
        self.maps = nn.Sequential(nn.Linear(z, MAPS * COARSE**2), coarse, Resize(size, "bilinear"))
        self.start = nn.Sequential(nn.Conv2d(c + MAPS, width, 4, 2, 1), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width),
            )
            for _ in range(blocks)
        )  # fmt: skip
        extra = (size[0] % 2, size[1] % 2)
        self.up = nn.Sequential(nn.ConvTranspose2d(width, width, 4, 2, 1, extra), nn.ReLU())
        seen = nn.Conv2d(width + c + MAPS, width, 3, 1, 1)
        self.end = nn.Sequential(seen, nn.ReLU(), nn.Conv2d(width, c, 1), nn.Tanh())

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        seen = torch.cat([x, self.maps(z)], 1)
        h = self.start(seen)
        for block in self.blocks:
            h = h + block(h)
        return self.end(torch.cat([self.up(h), seen], 1))  # type: ignore[no-any-return]
