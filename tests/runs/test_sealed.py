"""Tests of gantool.runs.sealed: what is saved comes back, what was changed is found out, what is foreign is refused."""

import hashlib
import json
import pickle
import random
import struct
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from gantool.errors import UserError
from gantool.runs import header, sealed

BLANK = b"0" * 64


def bits(tree: Any) -> Any:
    """The tree with each tensor as its type, shape and bytes: what must come back, by an oracle of its own."""
    match tree:
        case Tensor():
            return tree.dtype, tuple(tree.shape), tree.detach().flatten().contiguous().view(torch.uint8).tolist()
        case dict():
            return [(type(key), key, bits(value)) for key, value in tree.items()]
        case list() | tuple():
            return type(tree) if type(tree) is list else tuple, [bits(value) for value in tree]
    return type(tree), tree


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    weight, odd = torch.randn(3, 4), torch.tensor([float("nan"), -0.0, float("inf"), 1e-45])
    return {
        "networks": {"a.weight": weight, "b.weight": weight, "a.half": torch.randn(5).bfloat16()},
        "optimizers": {"D": {"state": {0: {"m": weight.T}, 12: {}}, "groups": [{"lr": torch.tensor(7.0)}]}},
        "random": (3, (1, 2**62, None), {"key": torch.arange(4), "flag": True, "text": "grüße\n"}),
        "shapes": [torch.zeros(0, 3), torch.randn(4, 6)[::2, ::3], torch.randn(1).expand(4), odd],
        "types": [torch.ones(2, dtype=t) for t in (torch.bool, torch.uint8, torch.int64, torch.float16, torch.float64)],
        "empty": {}, "nothing": None, "parameter": torch.nn.Parameter(torch.ones(2)), "list": [[], ()],
    }  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    sealed.save(path, {"step": 3, "name": "gan"}, state())
    return path


def seal(path: Path, header: str, tensors: dict[str, Tensor] | None = None) -> Path:
    """Write a file with a right checksum, whatever its header says."""
    text = header.replace("{", '{"sha256": "' + BLANK.decode() + '", ', 1)
    data = safetensors.torch.save(tensors or {"t": torch.ones(2)}, {"gantool": text})
    path.write_bytes(data.replace(BLANK, hashlib.sha256(data).hexdigest().encode(), 1))
    return path


def test_nested_state_comes_back_bit_for_bit(path: Path) -> None:
    facts, back = sealed.load(path)
    assert facts == {"step": 3, "name": "gan"}
    assert bits(back) == bits(state())
    assert sealed.same(back, state())


def test_the_header_alone_tells_the_facts(path: Path) -> None:
    assert header.facts(path) == {"step": 3, "name": "gan"}
    assert header.facts(path.parent / "none.safetensors") == {}


def test_any_reader_of_safetensors_opens_the_file(path: Path) -> None:
    with safe_open(path, "pt") as file:
        assert torch.equal(file.get_tensor("networks.a.weight"), state()["networks"]["a.weight"])
        assert json.loads(file.metadata()["gantool"])["facts"]["name"] == "gan"


def test_the_checksum_is_of_the_whole_file_with_the_checksum_blank(path: Path) -> None:
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    digest = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["gantool"])["sha256"].encode()
    assert data.count(digest) == 1
    assert hashlib.sha256(data.replace(digest, BLANK)).hexdigest().encode() == digest


def test_the_same_state_makes_the_same_bytes(path: Path, tmp_path: Path) -> None:
    sealed.save(tmp_path / "b.safetensors", {"step": 3, "name": "gan"}, state())
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()
    back = sealed.load(path)
    sealed.save(tmp_path / "c.safetensors", *back)
    assert (tmp_path / "c.safetensors").read_bytes() == path.read_bytes()


def test_saving_does_not_tie_the_file_to_the_live_tensors(tmp_path: Path) -> None:
    live = {"w": torch.zeros(3)}
    sealed.save(tmp_path / "a.safetensors", {}, live)
    live["w"] += 1
    assert sealed.load(tmp_path / "a.safetensors")[1]["w"].tolist() == [0, 0, 0]


def test_keys_that_look_alike_when_joined_stay_apart(tmp_path: Path) -> None:
    one, two, three = torch.ones(1), torch.full((1,), 2.0), torch.full((1,), 3.0)
    tricky = {"a": {"b.c": one}, "a.b": {"c": two}, 1: three, "1": one, ".a": {"b.c": two}, "": [two]}
    sealed.save(tmp_path / "a.safetensors", {}, tricky)
    assert bits(sealed.load(tmp_path / "a.safetensors")[1]) == bits(tricky)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", {(1, 2): 3}, 1j], ids=lambda v: type(v).__name__)
def test_what_could_not_be_read_back_is_refused_when_saving(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"state\.deep"):
        sealed.save(tmp_path / "a.safetensors", {}, {"state": {"deep": value}})
    assert list(tmp_path.iterdir()) == []


def test_ordered_and_named_containers_come_back_plain(tmp_path: Path) -> None:
    sealed.save(tmp_path / "a.safetensors", {}, OrderedDict(b=1, a=torch.Size([2, 3])))
    back = sealed.load(tmp_path / "a.safetensors")[1]
    assert list(back.items()) == [("b", 1), ("a", (2, 3))]


def test_every_single_bit_flip_is_found(path: Path, tmp_path: Path) -> None:
    data, chance = path.read_bytes(), random.Random(1)
    header = 8 + struct.unpack("<Q", data[:8])[0]
    # Half of them in the header, which is the smaller part of a real file.
    spots = [chance.randrange(header) for _ in range(100)] + [chance.randrange(header, len(data)) for _ in range(100)]
    for spot in [*range(8), *spots]:
        damaged = bytearray(data)
        damaged[spot] ^= 1 << chance.randrange(8)
        (tmp_path / "b.safetensors").write_bytes(damaged)
        with pytest.raises(sealed.Damaged):
            sealed.load(tmp_path / "b.safetensors")


def test_every_truncation_is_found(path: Path, tmp_path: Path) -> None:
    data, chance = path.read_bytes(), random.Random(2)
    for length in [*range(12), len(data) - 1, *(chance.randrange(len(data)) for _ in range(90))]:
        (tmp_path / "b.safetensors").write_bytes(data[:length])
        with pytest.raises(sealed.Damaged):
            sealed.load(tmp_path / "b.safetensors")
        header.facts(tmp_path / "b.safetensors")


def test_bytes_added_at_the_end_are_found(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(sealed.Damaged, match="checksum"):
        sealed.load(path)


def test_another_programs_safetensors_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    safetensors.torch.save_file({"w": torch.ones(2)}, path, {"format": "pt"})
    with pytest.raises(UserError, match=r"theirs\.safetensors was not written by gantool") as caught:
        sealed.load(path)
    assert "model.safetensors" in caught.value.hint
    assert header.facts(path) == {}


def test_a_file_that_is_not_there_or_is_a_folder_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        sealed.load(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="Is a directory"):
        sealed.load(tmp_path)


@pytest.mark.parametrize("length", [2**40, 2**62, 2**64 - 1])
def test_a_header_said_to_be_huge_is_refused_at_once(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"a": 1}')
    start = time.perf_counter()
    with pytest.raises(sealed.Damaged, match="cut short"):
        sealed.load(path)
    assert header.facts(path) == {}
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    "skeleton",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"list": [' * 20_000 + "]}" * 20_000,
        '{"tensor": "absent"}',
        '{"python/object": "os.system"}',
        '{"dict": [[1]]}',
        '{"dict": [[[1], 2]]}',
        '{"dict": 5}',
        '{"tensor": "t", "list": []}',
        "{}",
    ],
    ids=["deep lists", "deep trees", "no tensor", "unknown", "no pair", "list as key", "number", "two kinds", "none"],
)
def test_a_hostile_header_with_a_right_checksum_is_refused(tmp_path: Path, skeleton: str) -> None:
    header = '{"format": 1, "facts": {}, "state": {"list": [SKELETON]}}'
    path = seal(tmp_path / "a.safetensors", header.replace("SKELETON", skeleton))
    with pytest.raises(sealed.Damaged):
        sealed.load(path)


def test_the_hostile_files_of_these_tests_differ_from_good_ones_by_their_header_alone(tmp_path: Path) -> None:
    header = '{"format": 1, "facts": {"a": 1}, "state": {"list": [{"tensor": "t"}]}}'
    facts, state = sealed.load(seal(tmp_path / "a.safetensors", header))
    assert facts == {"a": 1}
    assert state[0].tolist() == [1, 1]


def test_a_newer_format_asks_for_a_newer_gantool(tmp_path: Path) -> None:
    path = seal(tmp_path / "a.safetensors", '{"format": 2, "facts": {}, "state": {}}')
    with pytest.raises(UserError, match="has format 2; this gantool reads 1") as caught:
        sealed.load(path)
    assert "pip install -U" in caught.value.hint


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "a.safetensors"
    torch.save({"w": torch.ones(2)}, path)
    for content in (path.read_bytes(), pickle.dumps(Bomb())):
        path.write_bytes(content)
        with pytest.raises(sealed.Damaged):
            sealed.load(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.tensor([float("nan")]), torch.tensor([0.0])),
        (torch.tensor([0.0]), torch.tensor([-0.0])),
        (torch.tensor([float("inf")]), torch.tensor([torch.finfo(torch.float32).max])),
        (torch.zeros(2), torch.zeros(2, 1)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (1, True),
        ([1], (1,)),
        ({"a": 1}, {"b": 1}),
        ({"a": [torch.ones(1)]}, {"a": [torch.zeros(1)]}),
    ],
    ids=str,
)
def test_states_that_differ_in_a_bit_are_not_the_same(a: Any, b: Any) -> None:
    assert not sealed.same(a, b)
    assert sealed.same(a, a)
    assert sealed.same(b, b)
