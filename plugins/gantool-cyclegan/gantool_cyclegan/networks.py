"""The paper's networks (section 4 and appendix), at any width and depth."""

from torch import Tensor, nn


def resnet(channels: int, width: int, blocks: int) -> nn.Module:
    """The generator of Johnson et al. (2016): c7s1-w, d2w, d4w, R4w..., u2w, uw, c7s1."""
    w = width
    return nn.Sequential(
        nn.ReflectionPad2d(3), nn.Conv2d(channels, w, 7, bias=False), nn.InstanceNorm2d(w), nn.ReLU(),
        nn.Conv2d(w, 2 * w, 3, 2, 1, bias=False), nn.InstanceNorm2d(2 * w), nn.ReLU(),
        nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=False), nn.InstanceNorm2d(4 * w), nn.ReLU(),
        *(Block(4 * w) for _ in range(blocks)),
        nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, 1, bias=False), nn.InstanceNorm2d(2 * w), nn.ReLU(),
        nn.ConvTranspose2d(2 * w, w, 3, 2, 1, 1, bias=False), nn.InstanceNorm2d(w), nn.ReLU(),
        nn.ReflectionPad2d(3), nn.Conv2d(w, channels, 7), nn.Tanh(),
    ).apply(start)  # fmt: skip


class Block(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        half = [(nn.ReflectionPad2d(1), nn.Conv2d(w, w, 3, bias=False), nn.InstanceNorm2d(w)) for _ in range(2)]
        self.residual = nn.Sequential(*half[0], nn.ReLU(), *half[1])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.residual(x)
        return y


def patchgan(channels: int, width: int, halvings: int) -> nn.Module:
    """C64-C128-C256-C512 where width is 64 and halvings 3: a score for every patch (Isola et al., 2017)."""
    maps: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for i in range(halvings):
        fine, coarse, stride = width << min(i, 3), width << min(i + 1, 3), 2 if i < halvings - 1 else 1
        maps += [nn.Conv2d(fine, coarse, 4, stride, 1, bias=False), nn.InstanceNorm2d(coarse), nn.LeakyReLU(0.2)]
    return nn.Sequential(*maps, nn.Conv2d(width << min(halvings, 3), 1, 4, 1, 1)).apply(start)


def start(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
