"""A network that draws an image as another, at full size."""

import torch
from gantool.api import DataSpec
from torch import Tensor, nn


class Painter(nn.Module):
    """G(x, z): z, made a map, beside the colours; then residual blocks at full size."""

    def __init__(self, data: DataSpec, z: int, width: int, blocks: int) -> None:
        super().__init__()
        self.map = nn.Sequential(nn.Linear(z, data.height * data.width), nn.Unflatten(1, (1, data.height, data.width)))
        self.start = nn.Sequential(nn.Conv2d(data.channels + 1, width, 3, 1, 1), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width),
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.end = nn.Sequential(nn.Conv2d(width, data.channels, 3, 1, 1), nn.Tanh())

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        h = self.start(torch.cat([x, self.map(z)], 1))
        for block in self.blocks:
            h = h + block(h)
        return self.end(h)  # type: ignore[no-any-return]
