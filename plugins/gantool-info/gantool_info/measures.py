"""What InfoGAN's codes came to mean: which digit, which slant, how much ink."""

import torch
from torch import Tensor


def matched(codes: Tensor, classes: Tensor) -> float:
    """The share whose code is that of their class, with codes and classes paired off as well as can be.

    Each code has at most one class, and each class one code (Hungarian matching). Codes come in one by one: each takes
    the class that adds most, if need be from a code that takes another one's, and so on.
    """
    k = int(max(codes.max(), classes.max())) + 1
    counts = torch.zeros(k, k).index_put_((codes, classes), torch.ones(len(codes)), accumulate=True).tolist()
    owner: dict[int, int] = {}
    for code in range(k):
        gain, before = list(counts[code]), [-1] * k  # of giving this class away; the class that its taker had before
        changed = True
        while changed:
            changed = False
            for y, other in owner.items():
                for to in range(k):
                    if (more := gain[y] - counts[other][y] + counts[other][to]) > gain[to]:
                        gain[to], before[to], changed = more, y, True
        y = max((y for y in range(k) if y not in owner), key=gain.__getitem__)
        while before[y] >= 0:
            owner[y], y = owner[before[y]], before[y]
        owner[y] = code
    return float(sum(counts[code][y] for y, code in owner.items()) / len(codes))


def spearman(a: Tensor, b: Tensor) -> float:
    """The correlation of ranks, of numbers without ties."""
    ranks = torch.stack([x.argsort().argsort().double() for x in (a, b)])
    return float(torch.corrcoef(ranks)[0, 1])


def slant(x: Tensor) -> Tensor:
    """How far strokes lean, columns a row: the moments' slope of pictures (n, C, S, S), bright on dark."""
    ink, at = brightness(x), torch.arange(x.shape[-1], device=x.device, dtype=torch.float64)
    mass = ink.sum((1, 2)).clamp_min(1e-9)
    rows, columns = ink.sum(2), ink.sum(1)
    down = at - ((rows * at).sum(1) / mass).unsqueeze(1)  # (n, S), from the picture's own centre
    along = at - ((columns * at).sum(1) / mass).unsqueeze(1)
    leaning = torch.einsum("nij,ni,nj->n", ink, down, along)
    return leaning / (rows * down.square()).sum(1).clamp_min(1e-9)


def stroke_mass(x: Tensor) -> Tensor:
    """The mean brightness."""
    return brightness(x).mean((1, 2))


def brightness(x: Tensor) -> Tensor:
    """Of pictures in [-1, 1], from 0 to 1, (n, S, S)."""
    return (x[:, :3].double().mean(1) + 1) / 2


def meaning(codes: Tensor, groups: Tensor, x: Tensor) -> float:
    """How far one of the codes orders pictures by slant or by ink.

    Each of `codes`, (n, k), against each of the two: the absolute rank correlation within each of the groups, of which
    the median counts; then the best pair.
    """
    best = 0.0
    for measure in (slant(x), stroke_mass(x)):
        for code in codes.T:
            each = [abs(spearman(code[groups == g], measure[groups == g])) for g in torch.unique(groups)]
            best = max(best, float(torch.tensor(each).median()))
    return best
