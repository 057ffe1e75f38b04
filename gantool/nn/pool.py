"""A pool of earlier fakes, to be shown to D again."""

import torch
from torch import Tensor, nn

from gantool.data.images import DataSpec


class Pool(nn.Module):
    """Keeps earlier fakes, and half the time answers a new one with one of them (Shrivastava et al., 2017)."""

    images: Tensor
    held: Tensor

    def __init__(self, size: int, data: DataSpec) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, data.channels, data.size, data.size))
        self.register_buffer("held", torch.zeros(1, dtype=torch.int64))

    def forward(self, fakes: Tensor) -> Tensor:
        return torch.cat([self.swap(fake) for fake in torch.split(fakes, 1)]) if len(self.images) else fakes

    def swap(self, fake: Tensor) -> Tensor:
        """What comes back leaves the pool, and the new one takes its place. All on the device: nothing waits for it."""
        room = self.held < len(self.images)
        slot = torch.where(room, self.held, torch.randint_like(self.held, len(self.images)))
        old, swapped = self.images[slot], ~room & (torch.rand(1, device=fake.device) < 0.5)
        self.images[slot] = torch.where((room | swapped).view(-1, 1, 1, 1), fake.float(), old)
        self.held += room
        return torch.where(swapped.view(-1, 1, 1, 1), old, fake)
