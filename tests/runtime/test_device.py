"""What the device is told while a training lasts, and that it is told no longer."""

from pathlib import Path

import pytest
import torch
from conftest import TINY, Gantool

from gantool.runtime import device


@pytest.mark.parametrize("shape", [(64, 512, 1024), (1024, 64, 784), (100, 256, 64), (7, 3, 5)])
def test_swift_products_are_as_exact_as_others(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    m, k, n = shape
    noise = torch.Generator().manual_seed(0)
    a, b = torch.randn(m, k, generator=noise), torch.randn(k, n, generator=noise)
    exact = a.double() @ b.double()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: AMD)
    with device.computing(torch.device("cpu")):
        assert (a @ b - exact).abs().max() < 1e-6 * k  # bfloat16, with 8 bits, would be off by thousands of times
    assert ((a.bfloat16() @ b.bfloat16()).double() - exact).abs().max() > 1e-4 * k**0.5


def told(kind: str) -> str:
    with device.computing(torch.device(kind)):
        return torch.get_float32_matmul_precision()


AMD = {"cpu_name": "AMD EPYC", "avx512_f": True, "amx_bf16": False}


def test_mkl_multiplies_but_where_one_dnn_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    for other in (AMD | {"amx_bf16": True}, AMD | {"avx512_f": False}, AMD | {"cpu_name": "Intel Xeon"}, {}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda other=other: other)
        assert told("cpu") == "highest"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: AMD)
    assert told("cuda") == "highest"
    assert told("cpu") == "medium"


def test_after_a_training_the_process_multiplies_as_before(gantool: Gantool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: AMD)
    for length in (("--steps", 1), ("--steps", 1, "--lr", 1e30)):  # one that ends well, and one that does not
        gantool("train", "gan", *TINY, *length)
        assert torch.get_float32_matmul_precision() == "highest"
    gantool("resume", next(Path("runs").iterdir()), "--steps", 2)
    assert torch.get_float32_matmul_precision() == "highest"
