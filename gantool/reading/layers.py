"""Networks as the Python that builds them, layer by layer."""

from collections.abc import Callable
from typing import Any

from torch import nn

WIDTH = 120


def written(module: nn.Module, indent: int) -> str:
    """`nn.Sequential(...)` with a line for each layer; of a class that is not torch's, its parts in their order.

    Built in that order, weights get the random numbers that they had.
    """
    if not type(module).__module__.startswith("torch."):
        parts, name = list(module.children()), type(module).__name__
    elif isinstance(module, nn.Sequential):
        parts, name = flat(module), "nn.Sequential"
    else:
        return layer(module)
    inner = indent + 4
    each = [written(part, inner) for part in parts]
    short = f"{name}({', '.join(each)})"
    if "\n" not in short and indent + len(short) + 1 <= WIDTH and len(parts) < 4:
        return short
    lines = "".join(f"{' ' * inner}{part},\n" for part in each)
    return f"{name}(\n{lines}{' ' * indent})"


def flat(network: nn.Sequential) -> list[nn.Module]:
    """Rows within a row laid out as one."""
    return [m for child in network for m in (flat(child) if isinstance(child, nn.Sequential) else [child])]


def layer(module: Any) -> str:
    """A layer of torch, with what is not its default."""
    name = type(module).__name__
    if name not in ARGUMENTS:
        raise TypeError(f"{name} cannot be written out")
    return f"nn.{name}({', '.join(ARGUMENTS[name](module))})"


def convolution(m: Any) -> list[str]:
    said = [f"{m.in_channels}", f"{m.out_channels}", side(m.kernel_size)]
    rest = [(m.stride, 1), (m.padding, 0), *([(m.output_padding, 0)] if hasattr(m, "output_padding") else [])]
    while rest and rest[-1][0] in (rest[-1][1], (rest[-1][1],) * 2):
        rest.pop()
    return [*said, *(side(value) for value, _ in rest), *([] if m.bias is not None else ["bias=False"])]


def side(value: Any) -> str:
    return str(value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value)


def normed(m: Any) -> list[str]:
    return [str(m.num_features), *([] if m.momentum == 0.1 else [f"momentum={m.momentum}"])]


ARGUMENTS: dict[str, Callable[[Any], list[str]]] = {
    "Linear": lambda m: [f"{m.in_features}", f"{m.out_features}", *([] if m.bias is not None else ["bias=False"])],
    "Conv2d": convolution,
    "ConvTranspose2d": convolution,
    "BatchNorm1d": normed,
    "BatchNorm2d": normed,
    "Embedding": lambda m: [f"{m.num_embeddings}", f"{m.embedding_dim}"],
    "LeakyReLU": lambda m: [f"{m.negative_slope}"],
    "Dropout": lambda m: [f"{m.p}"],
    "Flatten": lambda m: [] if m.start_dim == 1 else [f"{m.start_dim}"],
    "Unflatten": lambda m: [f"{m.dim}", str(tuple(m.unflattened_size))],
    **dict.fromkeys(("ReLU", "Tanh", "Identity"), lambda m: []),
}
