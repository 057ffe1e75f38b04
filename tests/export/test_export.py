"""`gantool export`: pages that draw what gantool draws, programs that need none of it, and what is refused."""

import json
import random
import re
import subprocess
import sys
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from conftest import Gantool
from page_in_node import needs_node, scripted
from PIL import Image
from torch import Tensor, nn

import gantool as package
from gantool.api import DataSpec, Exported, Input, LabelOptions, UserError, Variant
from gantool.data.images import as_bytes
from gantool.export import directions
from gantool.export.page import RUNTIME, brief, part
from gantool.runtime import device

SMALL = {"width": 2, "d_width": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def parts(page: Path) -> tuple[dict[str, Any], str]:
    """What a page holds: its model, and its weights."""
    text = page.read_text("utf-8")
    model = re.search(r'<script type="application/json" id="model">(.*?)</script>', text, re.DOTALL)
    weights = re.search(r'<script type="text/plain" id="weights">(.*?)</script>', text, re.DOTALL)
    assert model and weights
    return json.loads(model[1]), weights[1]


# The command.


def test_a_run_becomes_one_page_that_fetches_nothing(gantool: Gantool, trained: Path) -> None:
    done = gantool("export", trained)
    assert done.code == 0, done.err
    assert "gan.html" in done.err and "at most 1 of 255 levels apart" in done.err and "any browser" in done.err
    text = Path("gan.html").read_text("utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:)|fetch\(|XMLHttpRequest|import\(|@import|WebAssembly""", text)
    assert "innerHTML" not in text and "eval(" not in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy and script and style and policy[1].startswith("default-src 'none';")
    for kind, part_of in (("script", script), ("style", style)):
        digest = re.search(rf"{kind}-src 'sha256-([^']*)'", policy[1])
        assert digest and b64decode(digest[1]) == sha256(part_of[1].encode()).digest()


def test_the_form_follows_the_name_and_what_is_there_is_kept(gantool: Gantool, trained: Path) -> None:
    assert gantool("export", trained, "-o", "x.pt2", "-q").code == 0
    assert Path("x.pt2").is_file() and Path("x.py").is_file()
    for args, wrong in (
        (("-o", "x.pt2"), "already there"), (("-o", "x.zip"), "should end in one of .html, .onnx, .pt2"),
        (("-o", "x.html", "--format", "onnx"), "a name for html"), (("--format", "pdf"), "html, onnx, torch"),
        (("-o", "y.pt2", "--small"), "--small is for pages"), (("-o", "y.html", "--static"), "--static is for ONNX"),
    ):  # fmt: skip
        done = gantool("export", trained, *args)
        assert done.code == 2 and wrong in done.err, done.err
    assert gantool("export", "nothing-like-it").code == 2
    assert gantool("export").code == 2
    assert gantool("export", trained, "-q").code == gantool("export", trained, "-q").code == 0
    assert Path("gan.html").read_bytes() == Path("gan-2.html").read_bytes()


# The library.


@pytest.mark.parametrize("ending", ["html", "pt2"])
def test_the_same_model_makes_the_same_bytes_and_stays_as_it_was(ending: str) -> None:
    model = made.model("cgan", **SMALL)
    before = model.sample(4).tensor
    state = torch.get_rng_state()
    for name in "ab":
        package.export(model, f"{name}.{ending}")
    assert Path(f"a.{ending}").read_bytes() == Path(f"b.{ending}").read_bytes()
    assert torch.equal(model.sample(4).tensor, before) and torch.equal(torch.get_rng_state(), state)
    assert not {"latents", "noise", "labels_for", "random", "latent"} & set(vars(model.variant))


def test_eight_bits_are_half_as_large_and_less_exact() -> None:
    model = made.model("gan", g_layers="64-256", d_layers="8")
    large, small = (package.export(model, f"{int(s)}.html", small=s) for s in (False, True))
    assert large.levels <= 1 and large.levels <= small.levels
    weights = [len(parts(written.path)[1]) for written in (large, small)]
    assert 1.8 < weights[0] / weights[1] < 2.1
    assert large.mean < small.mean < 0.5 / 127.5


def test_flags_of_sample_hold_for_what_is_exported() -> None:
    package.export(made.model("cgan", **SMALL), "narrow.html", truncation=0.5)
    assert parts(Path("narrow.html"))[0]["noise"]["truncation"] == 0.5
    with pytest.raises(UserError, match="truncation"):
        package.export(made.model("cgan", **SMALL), truncation=-1)


PAGE_IMAGES = """
const { model, weights, seed } = read();
const network = loadProgram(model.program, bytesOf(weights));
const latent = model.latent && loadProgram(model.latent.program, bytesOf(model.latent.weights));
const z = latentsOf(drawNoise(model.noise, seed, model.count), model.noise.size, latent), k = model.inputs[0].shape[0];
const images = Array.from({ length: model.count }, (_, i) => {
  const given = model.inputs.map((input, at) => (at ? [i % input.names.length] : z.subarray(i * k, (i + 1) * k)));
  return Array.from(Uint8ClampedArray.from(network.run(...given), (v) => (v + 1) * 127.5));
});
print(JSON.stringify(images));
"""


@needs_node
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cgan", SMALL), ("dcgan", {**SMALL, "components": 7, "deviation": 0.3}),
        ("gan", {"g_layers": "24", "d_layers": "8"}),
        ("gan", {"g_layers": "24", "d_layers": "8", "noise": "uniform", "z": 3}),
        ("cgan", {"networks": "mlp", "g_layers": "24", "d_layers": "8", "components": 3, "z": 5}),
    ],
)  # fmt: skip
def test_a_seed_draws_on_the_page_what_sample_draws(name: str, options: dict[str, Any]) -> None:
    model = made.model(name, **options)
    package.export(model, "page.html")
    held, weights = parts(Path("page.html"))
    for seed in (0, 4_000_000_007):
        given = {"model": held, "weights": weights, "seed": seed}
        seen = scripted(*RUNTIME, "random", "noise", then=PAGE_IMAGES, given=given)
        wanted = model.sample(64, seed=seed).tensor.flatten(1).int()
        assert wanted.float().std() > 1 and int((torch.tensor(seen) - wanted).abs().max()) <= 1


@needs_node
@pytest.mark.parametrize(("how", "n", "seed"), [("rand", 40, 5), ("randn", 16, 0), ("randn", 1_000, 2**32 - 1)])
def test_random_numbers_on_the_page_are_torchs(how: str, n: int, seed: int) -> None:
    then = f'print(JSON.stringify(Array.from(new TorchRandom({seed})["{how}"]({n}))))'
    torch.manual_seed(seed)
    torch.testing.assert_close(torch.tensor(scripted("random", then=then)), getattr(torch, how)(n), atol=2e-6, rtol=0)


@needs_node
def test_ten_images_travel_in_the_page_with_which_it_compares_itself() -> None:
    model = made.model("cgan", **SMALL)
    package.export(model, "page.html")
    held, _ = parts(Path("page.html"))
    inside = np.frombuffer(b64decode(held["check"]["images"]), np.uint8).reshape(10, -1)
    assert held["check"]["n"] == 10 and held["check"]["inputs"] is None  # its seed 0 gives them
    device.seed_all(0)
    images, _ = model.variant.sample(64, model.variant.SampleOptions())
    assert np.array_equal(inside, as_bytes(images[:10]).flatten(1).numpy())


HOSTILE = '</script><img src=x onerror="alert(1)">{{title}}'


def test_names_of_classes_and_facts_end_no_element() -> None:
    model = made.model("cgan", DataSpec((1, 16, 16), (HOSTILE, "plain")), **SMALL)
    model.facts["data"] = HOSTILE
    package.export(model, "page.html")
    text = Path("page.html").read_text("utf-8")
    assert HOSTILE not in text and "<img" not in text and text.count("</script>") == 3
    assert parts(Path("page.html"))[0]["inputs"][1]["names"][0] == HOSTILE


def test_scripts_lose_only_comments_and_indentation() -> None:
    for name in (*RUNTIME, "random", "noise", "gif", "view", "input", "page"):
        source = part(f"{name}.js")
        assert "`" not in re.sub(r"`[^`\n]*`", "", source), "a string over several lines would lose its indentation"
        kept = [line.strip() for line in source.splitlines()]
        assert brief(source).splitlines() == [line for line in kept if line and not line.startswith("//")]


GIF = """
const frames = [0, 1, 2].map((f) => Uint8ClampedArray.from({ length: 4 * 48 * 40 }, (_, i) =>
  i % 4 === 3 ? 255 : GREY ? (Math.imul(i >> 2, 2654435761) >>> 24) * (f + 1) % 256 : [0, 255, 255][(i % 4 + f) % 3]));
const film = gifOf(frames, 48, 40, GREY, 7);
print(JSON.stringify({ film: Array.from(film), frames: frames.map((f) => Array.from(f)) }));
"""


@needs_node
@pytest.mark.parametrize("grey", ["true", "false"])
def test_a_film_of_the_page_is_a_gif_of_its_frames(grey: str, tmp_path: Path) -> None:
    seen = scripted("gif", then=GIF.replace("GREY", grey))
    (tmp_path / "film.gif").write_bytes(bytes(seen["film"]))
    with Image.open(tmp_path / "film.gif") as film:
        assert film.size == (48, 40) and getattr(film, "n_frames", 1) == 3 and film.info["loop"] == 0
        for i, frame in enumerate(seen["frames"]):
            film.seek(i)
            assert film.info["duration"] == 70
            assert np.array_equal(np.asarray(film.convert("RGBA")).flatten(), frame)


def test_directions_are_the_singular_vectors_of_a_linear_network() -> None:
    weight = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    z = torch.randn(64, 9, generator=torch.Generator().manual_seed(1))
    z[:, :3] = torch.eye(3)[torch.arange(64) % 3]  # a component, which no slider moves
    free, found = directions.principal(lambda z: z[:, 3:] @ weight.T, z, 2)
    _, _, wanted = torch.linalg.svd(weight)
    assert free == [3, 4, 5, 6, 7, 8]
    for vector, right in zip(found.float(), wanted, strict=False):
        assert abs(float(vector @ right)) == pytest.approx(1, abs=1e-4)
        assert float((weight @ vector).mean()) > 0, "images get brighter along it"


# What a variant says itself.


class Codes(Variant):
    """Draws of two codes, and noise that it asks nobody for."""

    @dataclass(kw_only=True)
    class Options(Variant.Options): ...

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.generator = nn.Linear(6, 256)

    def draw(self, which: Tensor, how: Tensor, z: Tensor) -> Tensor:
        codes = [nn.functional.one_hot(which, 3), how[:, None], z]
        return self.generator(torch.cat(codes, 1)).tanh().view(-1, 1, 16, 16)

    def sample(self, n: int, options: Any) -> Tensor:
        return self.draw(torch.arange(n) % 3, torch.rand(n), torch.randn(n, 2))

    def exported(self, options: Any) -> Exported:
        which, how = Input("which", "choice", names="abc"), Input("how", "number", low=0, high=1)
        return Exported(self.draw, (which, how, Input("z", "noise", (2,))))


def test_a_variant_can_say_what_is_exported() -> None:
    package.export(made.model("cgan", cls=Codes), "codes.html")
    held, _ = parts(Path("codes.html"))
    assert [(i["kind"], i["names"]) for i in held["inputs"]] == [
        ("choice", ["a", "b", "c"]),
        ("number", []),
        ("noise", []),
    ]
    assert len(held["check"]["inputs"]) == 3 and len(held["free"]) == 2


# What is refused.


class Odd(Codes):
    """Follows `sample`, one of six ways in which it cannot be followed."""

    @dataclass(kw_only=True)
    class SampleOptions(LabelOptions): ...

    exported = Variant.exported

    def sample(self, n: int, options: Any) -> Tensor:
        z = self.latents(n, options)
        return self.odd(torch.cat([z[:, :6]], 1)).tanh().view(-1, 1, 16, 16)

    def noise(self, n: int) -> Tensor:
        return self.random(torch.randn, n, 6)

    def odd(self, z: Tensor) -> Tensor:
        return self.generator(z)


class Noisy(Odd):
    def odd(self, z: Tensor) -> Tensor:
        return self.generator(z + 0.1 * torch.randn_like(z))


class Elsewhere(Odd):
    def odd(self, z: Tensor) -> Tensor:
        return self.generator(z) + random.random()


class Branching(Odd):
    def odd(self, z: Tensor) -> Tensor:
        return self.generator(z if z.sum() > 0 else -z)


class Mixing(Odd):
    def odd(self, z: Tensor) -> Tensor:
        return self.generator(z - z.mean(0))


class Foreign(Odd):
    def odd(self, z: Tensor) -> Tensor:
        return self.generator(torch.fft.rfft(z, n=10).real)


class Constant(Odd):
    def odd(self, z: Tensor) -> Tensor:
        return self.generator.weight[:, 0].expand(len(z), -1)


class Training(Odd):
    def odd(self, z: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            w = torch.zeros(6, requires_grad=True)
            (slope,) = torch.autograd.grad(((w - z.clone()) ** 2).sum(), w)
        return self.generator(z - slope)


@pytest.mark.parametrize(
    ("cls", "why"),
    [
        (Noisy, r"draws noise of its own \(aten::randn_like at test_export.py:\d+: return self.generator\(z \+ 0.1"),
        (Elsewhere, "draws noise of its own"),
        (Branching, r"branches on a value \(test_export.py:\d+: return self.generator\(z if z.sum\(\) > 0"),
        (Mixing, "mixes the images of a batch"),
        (Foreign, r"uses an operation that pages do not know \(aten::_fft_r2c at test_export.py:\d+"),
        (Constant, "draws one image, whatever its inputs"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_refused_and_named(cls: type[Variant], why: str) -> None:
    with pytest.raises(UserError, match=why):
        package.export(made.model("cgan", cls=cls), "odd.html")
    assert not Path("odd.html").exists()


def test_points_are_no_page(gantool: Gantool) -> None:
    points = made.model("gan", DataSpec((2,)), g_layers="8", d_layers="8")
    with pytest.raises(UserError, match="draws no images"):
        package.export(points, "points.html")
    package.export(points, "points.pt2")
    assert torch.export.load("points.pt2").module()(torch.randn(5, 12)).shape == (5, 2)


# Programs of plain torch.


@pytest.mark.long
def test_a_script_draws_with_torch_alone() -> None:
    model = made.model("dcgan", **SMALL, components=5)
    written = package.export(model, "digits.pt2")
    assert written.largest < 1e-5 and written.also == [Path("digits.py")]
    source = Path("digits.py").read_text()
    assert "gantool" not in source and len(source.splitlines()) <= 14
    blocked = "import sys; sys.modules['gantool'] = None; sys.argv = ['digits.py', '3']; exec(open('digits.py').read())"
    code = blocked.replace("exec(", "__file__ = 'digits.py'; exec(")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with Image.open("digits.pgm") as image:
        assert image.size == (8 * 16, 16)
    assert str(Path.cwd()).encode() not in Path("digits.pt2").read_bytes()


# ONNX.


@pytest.mark.long
@pytest.mark.parametrize(("name", "options"), [("cgan", SMALL), ("dcgan", {**SMALL, "components": 5})])
def test_an_onnx_file_draws_any_number_and_says_what_it_is(name: str, options: dict[str, Any]) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    written = package.export(made.model(name, **options), "digits.onnx")
    assert written.largest < 1e-4 and "at batches of 1, 2, 7" in written.notes[0]
    proto = onnx.load("digits.onnx")
    onnx.checker.check_model(proto)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    assert said["images"] == "1x16x16, from -1 to 1" and "numbers of normal noise" in said["z"]
    assert said["Made by"].startswith(name)
    assert not proto.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value")


def test_without_its_packages_onnx_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"ONNX needs onnx and onnxscript") as error:
        package.export(made.model("cgan", **SMALL), "digits.onnx")
    assert error.value.hint == "pip install 'gantool[onnx]'"


class Counting(Odd):
    """Its batch is a constant where it is traced."""

    def odd(self, z: Tensor) -> Tensor:
        return self.generator(z) * torch.ones(len(z.tolist()) if not torch.compiler.is_exporting() else len(z), 1)


@pytest.mark.long
def test_a_batch_that_onnx_fixes_is_refused_unless_one_is_enough() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    with pytest.raises(UserError, match="any number of images") as error:
        package.export(made.model("cgan", cls=Counting), "fixed.onnx")
    assert "--static" in error.value.hint
    assert package.export(made.model("cgan", cls=Counting), "fixed.onnx", static=True).largest < 1e-4
