"""SRResNet and D, as in figure 4; narrower and shorter unless the options say otherwise."""

from torch import Tensor, nn

from gantool_superres.enlarging import bicubic


def normed(channels: int, norm: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if norm else []


class Residual(nn.Module):
    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        first = nn.Conv2d(width, width, 3, 1, 1), *normed(width, norm), nn.PReLU()
        self.change = nn.Sequential(*first, nn.Conv2d(width, width, 3, 1, 1), *normed(width, norm))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)  # type: ignore[no-any-return]


class SRResNet(nn.Module):
    """(n, C, h, w) to (n, C, 4h, 4w). Added to the bicubic enlargement, it is just that until it has learned."""

    def __init__(self, channels: int, width: int, blocks: int, ends: int, norm: bool, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.head = nn.Sequential(nn.Conv2d(channels, width, ends, 1, ends // 2), nn.PReLU())
        residual = (Residual(width, norm) for _ in range(blocks))
        self.body = nn.Sequential(*residual, nn.Conv2d(width, width, 3, 1, 1), *normed(width, norm))
        doubled = (m for _ in "42" for m in (nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()))
        self.enlarge = nn.Sequential(*doubled)
        self.tail = nn.Conv2d(width, channels, ends, 1, ends // 2)
        if skip:
            nn.init.zeros_(self.tail.weight)
            nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, small: Tensor) -> Tensor:
        x = self.head(small)
        detail: Tensor = self.tail(self.enlarge(x + self.body(x)))
        return detail + bicubic(small) if self.skip else detail


def reach(blocks: int, ends: int) -> int:
    """How many small pixels away, at most, anything can be that an SRResNet's pixel depends on."""
    halves = -(-(ends // 2) // 2) + 1  # those that the tail, and the second convolution of `enlarge`, look beyond
    return max(ends // 2 + (2 * blocks + 1) + 1 + -(-halves // 2), 2)  # bicubic interpolation looks at 2


def discriminator(channels: int, size: int, width: int, norm: bool) -> nn.Sequential:
    """Pairs of convolutions: twice the channels, then half the side, until that is 6 or less; a number, its logit."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, 1, 1), nn.LeakyReLU(0.2)]
    side, c = size, width
    while side > 6:
        layers += [nn.Conv2d(c, c, 3, 2, 1), *normed(c, norm), nn.LeakyReLU(0.2)]
        side = (side + 1) // 2
        if side > 6:
            layers += [nn.Conv2d(c, 2 * c, 3, 1, 1), *normed(2 * c, norm), nn.LeakyReLU(0.2)]
            c *= 2
    judged = nn.Linear(c * side**2, 16 * width), nn.LeakyReLU(0.2), nn.Linear(16 * width, 1), nn.Flatten(0)
    network = nn.Sequential(*layers, nn.Flatten(), *judged)
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):  # as loud at the end as at the beginning (He et al., 2015)
            nn.init.kaiming_normal_(layer.weight, 0.2)
    return network
