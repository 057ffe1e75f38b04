"""Class-conditional normalisation."""

from torch import Tensor, nn


class ClassNorm(nn.Module):
    """Batch norm whose scale and shift are the class's own (Dumoulin et al., 2017); of no classes, everybody's."""

    def __init__(self, c: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(c, affine=False)
        self.scale, self.shift = (nn.Embedding(max(1, classes), c) for _ in "12")
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.norm(x) * self.scale(y)[..., None, None] + self.shift(y)[..., None, None]  # type: ignore[no-any-return]
