"""Every operation of a page draws what torch draws: run in node, and by the list's own interpreter."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from page_in_node import NODE, all_drawn, needs_node, scripted
from torch import Tensor, nn
from torch.nn import functional as F

from gantool.export import elementwise, folding, program, running
from gantool.export.lowering import lowered

MAP = (1, 4, 6, 6)
ROW = (1, 12)


class Layer(nn.Module):
    """A function, and the weights it uses."""

    def __init__(self, f: Callable[..., Tensor], *weights: nn.Module) -> None:
        super().__init__()
        self.f, self.held = f, nn.ModuleList(weights)
        for i, weight in enumerate(self.state_dict().values()):
            if weight.is_floating_point():
                torch.nn.init.normal_(weight, 0.1 * i, 0.4, generator=torch.Generator().manual_seed(i))
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                assert layer.running_var is not None
                layer.running_var.abs_().add_(0.5)

    def forward(self, *x: Tensor) -> Tensor:
        return self.f(*x, *self.held)


def applied(layer: nn.Module) -> Layer:
    return Layer(lambda x, f: f(x), layer)


def x(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Of each kind of operation, what leads to it: the layer and what it is given.
CASES: dict[str, list[tuple[Layer, tuple[Tensor, ...]]]] = {
    "affine": [(applied(nn.BatchNorm2d(4)), (x(*MAP),)), (applied(nn.InstanceNorm2d(4, affine=True)), (x(*MAP),))],
    "argmax": [
        (Layer(lambda x: x.argmax(1).float()), (x(*MAP),)), (Layer(lambda x: x.argmax().float() + x), (x(*ROW),)),
    ],
    "cat": [
        (Layer(lambda x, y: torch.cat([x, y * 2], 1)), (x(*MAP), x(1, 2, 6, 6, seed=1))),
        (Layer(lambda x: torch.stack([x, x.exp()], 2)), (x(*MAP),)),
    ],
    "const": [(Layer(lambda x, f: x.flatten(1) @ f.weight.exp().t() + f.weight[:1, :3], nn.Linear(12, 3)), (x(*ROW),))],
    "conv": [
        (applied(nn.Conv2d(4, 7, 3, padding=1)), (x(*MAP),)),
        (applied(nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(2, 0), dilation=(1, 2), groups=2)), (x(*MAP),)),
        (applied(nn.Conv2d(4, 5, 1, bias=False)), (x(*MAP),)),
        (Layer(lambda x, w: F.conv2d(x, w.view(2, 4, 3, 3))), (x(*MAP), x(1, 72, seed=2))),
    ],
    "convt": [
        (applied(nn.ConvTranspose2d(4, 3, 4, 2, 1)), (x(*MAP),)),
        (applied(nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2, bias=False)), (x(*MAP),)),
        (Layer(lambda x, w: F.conv_transpose2d(x, w.view(4, 2, 3, 3), stride=3)), (x(*MAP), x(1, 72, seed=2))),
    ],
    "linear": [
        (applied(nn.Linear(12, 9)), (x(*ROW),)), (applied(nn.Linear(12, 5, bias=False)), (x(1, 3, 12),)),
        (applied(nn.Linear(12, 9)), (F.one_hot(torch.tensor([5]), 12).float(),)),
    ],
    "map": [(Layer(lambda x: x.sin() * 2), (x(*ROW),))],
    "matmul": [
        (Layer(lambda x, y: x @ y.transpose(1, 2)), (x(1, 5, 7), x(1, 6, 7, seed=1))),
        (Layer(lambda x, y: torch.bmm(x.expand(2, -1, -1), y.view(2, 7, 3))), (x(1, 5, 7), x(1, 42, seed=1))),
    ],
    "move": [
        (Layer(lambda x: x.permute(0, 2, 3, 1)[:, 1:5:2].flip(2)), (x(*MAP),)),
        (applied(nn.PixelShuffle(2)), (x(*MAP),)), (applied(nn.ZeroPad2d((1, 2, 3, 0))), (x(*MAP),)),
        (applied(nn.ReflectionPad2d(2)), (x(*MAP),)), (applied(nn.Upsample(scale_factor=2)), (x(*MAP),)),
        (Layer(lambda x: F.pad(x, (1, 1), value=-3.0).repeat(1, 2)), (x(*ROW),)),
    ],
    "norm": [
        (applied(nn.InstanceNorm2d(4)), (x(*MAP),)), (applied(nn.GroupNorm(2, 4)), (x(*MAP),)),
        (applied(nn.LayerNorm(12)), (x(1, 3, 12),)),
    ],
    "onehot": [(Layer(lambda y: F.one_hot(y, 6).float()), (torch.tensor([4]),))],
    "prelu": [(applied(nn.PReLU(4)), (x(*MAP),)), (applied(nn.PReLU()), (x(*ROW),))],
    "reduce": [
        (Layer(lambda x: x.mean((2, 3))), (x(*MAP),)), (Layer(lambda x: x.sum((1, 3))), (x(*MAP),)),
        (Layer(lambda x: x.amax(2) - x.amin(2)), (x(*MAP),)), (Layer(lambda x: x.var(1)), (x(*MAP),)),
        (Layer(lambda x: x.std((2, 3), correction=0)), (x(*MAP),)), (Layer(lambda x: x.prod(1)), (x(*ROW),)),
    ],
    "resize": [
        (applied(nn.Upsample(scale_factor=2, mode="bilinear")), (x(*MAP),)),
        (Layer(lambda x: F.interpolate(x, (9, 7), mode="bicubic", align_corners=False)), (x(*MAP),)),
        (Layer(lambda x: F.interpolate(x, (3, 3), mode="bicubic", antialias=True)), (x(*MAP),)),
        (applied(nn.AvgPool2d(2)), (x(*MAP),)), (applied(nn.AdaptiveAvgPool2d(4)), (x(*MAP),)),
    ],
    "rows": [(applied(nn.Embedding(6, 5)), (torch.tensor([4]),))],
    "softmax": [(Layer(lambda x: x.softmax(1)), (x(*MAP),)), (Layer(lambda x: x.softmax(-1)), (x(*MAP),))],
    "take": [(Layer(lambda x, y: torch.slice_scatter(x, y, 2, 1, 3)), (x(*MAP), x(1, 4, 2, 6, seed=1)))],
    "where": [(Layer(lambda x, y: torch.where(x > y, x, y * 3)), (x(*ROW), x(*ROW, seed=1)))],
    "zip": [(Layer(lambda x, y: x / y.exp() + y), (x(*ROW), x(*ROW, seed=1)))],
}  # fmt: skip


def same(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found.flatten(), wanted.float().flatten(), atol=3e-6, rtol=3e-6, equal_nan=True)


def test_each_kind_of_operation_has_its_cases() -> None:
    assert set(CASES) == set(program.KINDS) == set(running.OPS)


class Case(NamedTuple):
    """A layer that was traced, as it is and folded; what torch draws; and what node does, if it is there."""

    traced: program.Program
    folded: program.Program
    given: tuple[Tensor, ...]
    wanted: Tensor
    in_node: Tensor | None


def made_of(layers: list[tuple[Layer, tuple[Tensor, ...]]]) -> list[Case]:
    """All in one process of node: to start it takes longer than to draw."""
    traced = [(lowered(layer, given), given) for layer, given in layers]
    short = [folding.folded(copy.deepcopy(made)) for made, _ in traced]
    seen = all_drawn([(made, [given]) for made, (_, given) in zip(short, traced, strict=True)]) if NODE else None
    return [
        Case(made, short[i], given, layers[i][0](*given), seen[i][0] if seen else None)
        for i, (made, given) in enumerate(traced)
    ]


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Case]]:
    made = iter(made_of([case for kind in sorted(CASES) for case in CASES[kind]]))
    return {kind: [next(made) for _ in CASES[kind]] for kind in sorted(CASES)}


@pytest.mark.parametrize("kind", sorted(CASES))
def test_an_operation_gives_what_torch_gives(kind: str, cases: dict[str, list[Case]]) -> None:
    for case in cases[kind]:
        assert kind in {op.kind for op in case.traced.ops}, [op.kind for op in case.traced.ops]
        same(running.run(case.traced, case.given), case.wanted)
        same(running.run(case.folded, case.given), case.wanted)


@needs_node
@pytest.mark.parametrize("kind", sorted(CASES))
def test_an_operation_gives_in_node_what_torch_gives(kind: str, cases: dict[str, list[Case]]) -> None:
    for case in cases[kind]:
        assert case.in_node is not None
        same(case.in_node, case.wanted)


POSITIVE = ("log", "log1p", "sqrt", "rsqrt", "reciprocal")
MODULES = {"leaky": nn.LeakyReLU(0.3), "elu": nn.ELU(0.7), "gelu": nn.GELU(), "gelu_tanh": nn.GELU("tanh"),
           "clamp": nn.Hardtanh(-0.5, 0.7), "mish": nn.Mish(), "silu": nn.SiLU(),
           "softplus": nn.Softplus(), "relu": nn.ReLU()}  # fmt: skip
ONE = sorted({*elementwise.MAPS, *MODULES})
STEPS = torch.linspace(-3, 3, 25).view(1, -1)


def one_number(name: str, x: Tensor) -> Tensor:
    x = x.abs() + 0.1 if name in POSITIVE else x
    return MODULES[name](x) if name in MODULES else getattr(torch, name)(x).float()


def two_numbers(name: str, x: Tensor, y: Tensor) -> Tensor:
    """Of two rows, of a row and a number, of a number and a row."""
    f, half = getattr(torch, name), torch.tensor(0.5)
    return torch.cat([f(x, y).float(), f(x, half).float(), f(half, y).float()], 1)


@pytest.fixture(scope="module")
def functions() -> tuple[Case, Case]:
    ones = Layer(lambda x: torch.cat([one_number(name, x) for name in ONE]))
    twos = Layer(lambda x, y: torch.cat([two_numbers(name, x, y) for name in elementwise.ZIPS]))
    one, two = made_of([(ones, (STEPS,)), (twos, (STEPS.abs() + 0.25, STEPS.flip(1).round()))])
    return one, two


@pytest.mark.parametrize("name", [*ONE, *elementwise.ZIPS])
def test_a_function_of_numbers_gives_what_torch_gives(name: str, functions: tuple[Case, Case]) -> None:
    names, case = (ONE, functions[0]) if name in ONE else (elementwise.ZIPS, functions[1])
    row = names.index(name)
    same(running.run(case.folded, case.given)[row], case.wanted[row])
    if case.in_node is not None:
        same(case.in_node.view(case.wanted.shape)[row], case.wanted[row])


def test_every_function_that_a_page_knows_is_tried(functions: tuple[Case, Case]) -> None:
    used = {op.attrs["f"] for case in functions for op in case.traced.ops if op.kind in ("map", "zip")}
    assert used >= {*ONE, *elementwise.ZIPS, *(f"{name}_by" for name in elementwise.ZIPS)}
    if NODE:
        known = scripted("products", "maps", then="print(JSON.stringify([...Object.keys(MAPS)]))")
        assert used - {*elementwise.ZIPS} <= set(known)
        assert {name for name in known if not name.endswith("_of")} <= used


def test_layers_that_belong_together_become_one_operation() -> None:
    conv = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2), nn.Tanh())
    mlp = nn.Sequential(nn.Linear(12, 9), nn.LeakyReLU(0.2), nn.BatchNorm1d(9), nn.Linear(9, 4), nn.Sigmoid())
    for layers, given, kinds in ((conv, x(*MAP), ["conv", "convt"]), (mlp, x(*ROW), ["linear", "linear"])):
        layer = applied(layers)
        made = folding.folded(lowered(layer, (given,)))
        assert [op.kind for op in made.ops] == kinds and all(op.activation for op in made.ops)
        same(running.run(made, (given,)), layer.eval()(given))


def test_batch_norm_is_kept_before_a_padded_convolution() -> None:
    """What it pads with is not shifted: folded, the border would be another."""
    layer = applied(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3, padding=1)))
    made = folding.folded(lowered(layer, (x(*MAP),)))
    assert [op.kind for op in made.ops] == ["map", "affine", "conv"]
    same(running.run(made, (x(*MAP),)), layer.eval()(x(*MAP)))
