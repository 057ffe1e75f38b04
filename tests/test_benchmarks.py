"""The benchmarks run, and time the same networks in every program. No test asserts a time."""

import importlib
import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from conftest import Gantool
from torch import nn

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
NAMES = ("gan", "cgan", "wgan-gp", "dcgan", "tutorial")


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    before, path = set(sys.modules), list(sys.path)
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield importlib.import_module("kernels")
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHMARKS)):
            del sys.modules[name]


@pytest.mark.long
def test_one_command_prints_the_script_the_bare_loop_and_gantool_side_by_side(process: Gantool, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    least = ("--only", "tutorial", "--seconds", "0.1", "--rounds", "1", "--json", tmp_path / "found")
    done = process(BENCHMARKS, *least, OMP_NUM_THREADS="1")
    assert done.code == 0, done.out + done.err
    _, head, row, *_ = done.out.splitlines()
    assert head.split()[:5] == ["network", "a", "b", "c", "c/b"]
    name, *numbers = row.split()
    assert name == "tutorial"
    found = dict(zip(head.replace(" MB", "MB").split()[1:], (float(n.replace(",", "")) for n in numbers), strict=True))
    assert all(value > 0 for value in found.values())
    assert found["c/a"] == pytest.approx(found["c"] / found["a"], abs=0.01)
    (kept,) = json.loads((tmp_path / "found").read_text())["training"]
    assert kept["network"] == name
    assert kept["b"] == found["b"]


@pytest.mark.long
def test_the_bare_loop_takes_turns_with_gantools_command_line(process: Gantool, tmp_path: Path) -> None:
    least = ("beside", "--only", "tutorial", "--seconds", "0.4", "--rounds", "1", "--json", tmp_path / "found")
    done = process(BENCHMARKS, *least, OMP_NUM_THREADS="1")
    assert done.code == 0, done.out + done.err
    (row,) = json.loads((tmp_path / "found").read_text())["beside"]
    assert row["turns"] > 0
    assert row["c/b"] == pytest.approx(row["b ms"] / row["c ms"], abs=0.02)


@pytest.mark.long
def test_quality_is_measured_of_any_variant_that_is_installed(process: Gantool, tmp_path: Path) -> None:
    least = ("quality", "--alone", "--variant", "gan", "--marks", "3", "--rounds", "1", "--json", tmp_path / "found")
    done = process(BENCHMARKS, *least, OMP_NUM_THREADS="1")
    assert done.code == 0, done.out + done.err
    (row,) = json.loads((tmp_path / "found").read_text())["quality"]
    assert (row["network"], row["seconds"]) == ("gan gantool", 3)
    assert row["FD"] > 0 and row["label_accuracy"] == ""


@pytest.mark.long
def test_a_folder_is_read_and_trained_from_both_ways(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    files = importlib.import_module("files")
    monkeypatch.setattr(files, "FILES", 200)
    monkeypatch.setattr(files, "STEPS", {"gan": 100})
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    read, row = files.files(Namespace(rounds=1, seconds=0.5, device="cpu"))
    assert read.keys() == {"found and headers", "decoded"}
    assert row["variant"] == "gan"
    assert row["ratio"] == pytest.approx(row["streamed"] / row["memory"], abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_gantool_and_plain_torch_have_the_same_networks(kernels: ModuleType, name: str) -> None:
    plain, net = importlib.import_module("plain"), importlib.import_module("networks").NETWORKS[name]
    batch = 3
    variant = kernels.trainer(net, None, torch.device("cpu"), batch_size=batch).variant.eval()
    G, D = plain.generator(net).eval(), plain.discriminator(net).eval()
    for mine, its in ((G, variant.generator), (D, variant.discriminator)):
        weights = list(mine.parameters())
        assert sum(w.numel() for w in weights) == sum(w.numel() for w in its.parameters())
        nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(its.parameters()), weights)
    z, y = torch.randn(batch, net.z), torch.arange(batch)
    told = nn.functional.one_hot(y, plain.CLASSES).float()
    x = G(torch.cat([z, told], 1) if net.labelled else z)
    score = D(torch.cat([x.flatten(1), told], 1) if net.labelled else x)
    given = (y,) if net.labelled else ()
    torch.testing.assert_close(variant.generator(z, *given), x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(variant.discriminator(x, *given), score.squeeze(1), rtol=1e-4, atol=1e-5)


def test_the_kernels_of_a_step_are_its_products_and_convolutions_forward_and_backward(kernels: ModuleType) -> None:
    conv, linear = nn.Conv2d(2, 3, 3), nn.Linear(12, 1)
    weights = [*conv.parameters(), *linear.parameters()]
    with kernels.Recorder() as recorder:
        score = linear(conv(torch.randn(5, 2, 4, 4)).tanh().flatten(1))
        torch.autograd.grad(score.square().mean(), weights)
    assert len(recorder.calls) == 2 + 3  # forward each; backward, the linear layer's weights, its input, and the conv's
    for call in recorder.calls:
        call()
