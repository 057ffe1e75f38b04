"""Networks that make images of images, and those that judge them patch by patch; at any width and depth."""

from torch import Tensor, cat, nn
from torch.nn.functional import dropout, instance_norm


class OwnStatistics(nn.BatchNorm2d):
    """Batch norm that when drawing takes an image's own statistics: those of a test batch of one."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        return instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


class UNet(nn.Module):
    """pix2pix's generator (Isola et al., 2017, section 6.1): C64-C128-C256-C512..., and back, each map to its mirror.

    Its noise is dropout in the first three layers of the way back, at work when drawing too.
    """

    def __init__(self, channels: int, width: int, depth: int, noise: float, own_statistics: bool = False) -> None:
        super().__init__()
        norm = OwnStatistics if own_statistics else nn.BatchNorm2d
        widths = [width << min(i, 3) for i in range(depth)]
        self.noise = noise
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, to in enumerate(widths):
            # Neither the first nor the innermost has batch norm: of one image, the latter may be a single number.
            before = [nn.LeakyReLU(0.2)] if i else []
            after = [norm(to)] if 0 < i < depth - 1 else []
            self.down.append(nn.Sequential(*before, nn.Conv2d(widths[i - 1] if i else channels, to, 4, 2, 1), *after))
        for i in reversed(range(depth)):
            wide = widths[i] * (1 if i == depth - 1 else 2)  # with the map it meets
            to = widths[i - 1] if i else channels
            last = norm(to) if i else nn.Tanh()
            self.up.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(wide, to, 4, 2, 1), last))
        self.apply(start)

    def forward(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            maps.append(x)
        for i, layer in enumerate(self.up):
            x = layer(cat([x, maps[-1 - i]], 1) if i else x)
            if self.noise and i < 3 and i < len(self.up) - 1:
                x = dropout(x, self.noise)
        return x


def resnet(inputs: int, channels: int, width: int, halvings: int, blocks: int, labelled: bool = False) -> nn.Module:
    """The generator of Johnson et al. (2016): with two halvings c7s1-w, d2w, d4w, R4w..., u2w, uw, c7s1.

    Where constant maps say what to draw, the first layer has no instance norm, which would take them away.
    """
    pad, first = nn.ReflectionPad2d(3), nn.Identity() if labelled else nn.InstanceNorm2d(width)
    layers: list[nn.Module] = [pad, nn.Conv2d(inputs, width, 7, bias=labelled), first, nn.ReLU()]
    w = width
    for _ in range(halvings):
        layers += [nn.Conv2d(w, 2 * w, 3, 2, 1, bias=False), nn.InstanceNorm2d(2 * w), nn.ReLU()]
        w *= 2
    layers += [Block(w) for _ in range(blocks)]
    for _ in range(halvings):
        layers += [nn.ConvTranspose2d(w, w // 2, 3, 2, 1, 1, bias=False), nn.InstanceNorm2d(w // 2), nn.ReLU()]
        w //= 2
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(w, channels, 7), nn.Tanh()).apply(start)


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


def strided(channels: int, width: int, halvings: int) -> nn.Sequential:
    """StarGAN's body of D (Choi et al., 2018, appendix): halvings alone, twice as wide at each, and no norm."""
    layers: list[nn.Module] = []
    for i in range(halvings):
        fine = width << i - 1 if i else channels
        layers += [nn.Conv2d(fine, width << i, 4, 2, 1), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers)
