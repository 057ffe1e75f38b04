"""What the device is told before a training."""

from collections.abc import Iterator

import pytest
import torch

from gantool import device


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    was = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(was)


@pytest.mark.parametrize("shape", [(64, 512, 1024), (1024, 64, 784), (100, 256, 64), (7, 3, 5)])
def test_swift_products_are_as_exact_as_others(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    noise = torch.Generator().manual_seed(0)
    a, b = torch.randn(m, k, generator=noise), torch.randn(k, n, generator=noise)
    device.swift_products(torch.device("cpu"))
    exact = a.double() @ b.double()
    assert (a @ b - exact).abs().max() < 1e-6 * k  # bfloat16, with 8 bits, would be off by thousands of times as much
    assert ((a.bfloat16() @ b.bfloat16()).double() - exact).abs().max() > 1e-4 * k**0.5


def test_a_cpu_that_multiplies_bfloat16_itself_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_float32_matmul_precision("highest")
    for has in ({"avx512_f": True, "amx_bf16": True}, {"avx2": True}, {}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: has)
        device.swift_products(torch.device("cpu"))
        assert torch.get_float32_matmul_precision() == "highest"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, "amx_bf16": False})
    device.swift_products(torch.device("cuda"))
    assert torch.get_float32_matmul_precision() == "highest"
    device.swift_products(torch.device("cpu"))
    assert torch.get_float32_matmul_precision() == "medium"
