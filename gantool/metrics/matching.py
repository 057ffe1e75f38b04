"""How well one grouping of examples is another: clusters beside classes."""

import torch
from torch import Tensor


def assigned(worth: Tensor) -> list[int]:
    """Of a square matrix: for each row its column, each column once, so that the sum of these is the largest.

    The Hungarian method by shortest paths, O(n^3): rows are added one by one, and prices of rows and columns keep what
    is left over of each cost at 0 or more.
    """
    n = len(worth)
    cost = (worth.max() - worth).double().tolist()
    row_price, price, row_of, infinite = [0.0] * n, [0.0] * n, [-1] * n, float("inf")
    for row in range(n):
        reached, left, before, column, i = [False] * n, [infinite] * n, [-1] * n, -1, row
        while True:
            for j in range(n):
                if not reached[j] and (over := cost[i][j] - row_price[i] - price[j]) < left[j]:
                    left[j], before[j] = over, column
            nearest = min((j for j in range(n) if not reached[j]), key=left.__getitem__)
            step = left[nearest]
            row_price[row] += step
            for j in range(n):
                if reached[j]:
                    row_price[row_of[j]] += step
                    price[j] -= step
                else:
                    left[j] -= step
            reached[nearest], column = True, nearest
            if (i := row_of[nearest]) < 0:
                break
        while column >= 0:  # every row on the way moves to the next column
            earlier = before[column]
            row_of[column] = row if earlier < 0 else row_of[earlier]
            column = earlier
    columns = [0] * n
    for j, i in enumerate(row_of):
        columns[i] = j
    return columns


def table(a: Tensor, b: Tensor) -> Tensor:
    """(k, k): how often each group of `a` is each of `b`."""
    k = int(max(a.max(), b.max())) + 1
    return torch.bincount(a.cpu() * k + b.cpu(), minlength=k * k).view(k, k).double()


def matched(groups: Tensor, classes: Tensor) -> float:
    """The share whose group is that of their class, with groups and classes paired off as well as can be.

    Each group has at most one class, and each class one group.
    """
    counts = table(groups, classes)
    return float(counts[torch.arange(len(counts)), assigned(counts)].sum() / len(groups))


def nmi(groups: Tensor, classes: Tensor) -> float:
    """The mutual information of groups and classes, as a share of the mean of their entropies."""
    joint = table(groups, classes) / len(groups)
    p, q = joint.sum(1), joint.sum(0)
    entropy = [-float(part.xlogy(part).sum()) for part in (joint, p, q)]
    total = entropy[1] + entropy[2]
    return 2 * (total - entropy[0]) / total if total else 1.0
