"""Tests of mistakes: each gets a few lines that say what would be right, the right exit code, and costs nothing."""

from pathlib import Path

import pytest
from conftest import TINY, Gantool, Install
from scene import make_scene, tree

from gantool.commands import train

USAGE, FAILED = 2, 1


@pytest.fixture(scope="module")
def scene(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No mistake may change it."""
    return make_scene(tmp_path_factory.mktemp("scene"), trained)


def row(line: str, *words: str, code: int = USAGE) -> object:
    return pytest.param(line.split(" "), words, code, id=line)


MISTAKES = [
    # Names.
    row("train", "train what?", "cgan, dcgan, gan", "gantool train gan"),
    row("train --config my.yaml gan", "The variant comes before --config.", "gantool train gan --config my.yaml"),
    row("sample --digit 7", "The variant comes before --digit.", "sample VARIANT --digit 7", "cgan, dcgan, gan"),
    row("sample", "sample what?", "gantool sample gan"),
    row("eval", "eval what?"),
    row("train gna", "No variant named 'gna'", "Did you mean gan?", "gantool list"),
    row("train zzz --steps 3", "No variant named 'zzz'", "cgan, dcgan, gan"),
    row("sample dcgna", "Did you mean dcgan"),
    row("eval gna", "Did you mean gan?"),
    row("info gna", "Did you mean gan?"),
    row("traim gan", "No such command 'traim'", "Did you mean 'train'?"),
    row("data chekc", "No such command 'chekc'", "check"),
    row("train gan --stepz 3", "No such option: --stepz.", "Did you mean --steps", "gantool train gan --help"),
    row("train gan --no-such-thing", "No such option: --no-such-thing"),
    row("sample gan --digit 3", "No such option: --digit", "gantool sample gan --help"),
    row("list --jsom", "Did you mean --json?"),
    row("--stepz", "No such option: --stepz"),
    row("train gan extra", "extra"),
    row("train gan --steps", "--steps", "needs a value"),
    row("info", "info what?", "gantool info gan"),
    row("train gan --preset pytroch", "no preset 'pytroch'", "Did you mean pytorch?", "There are:"),
    row("train gan --preset dcgan/paper", "gan has no preset 'dcgan/paper'"),
    row("train gan --data digist", "'digist'", "Did you mean digits?", "folder or zip of images"),
    row("train gan --data=", "No data set and no folder named ''"),
    row("train gan --data nowhere/at/all", "'nowhere/at/all'", "digits, mnist"),
    # Numbers and choices.
    row("train gan --steps 0", "--steps", "should be 1 or more"),
    row("train gan --steps many", "--steps", "whole number"),
    row("train gan --steps 2.5", "--steps", "whole number"),
    row("train gan --steps 5 --epochs 2", "Give one of --steps, --epochs."),
    row("train gan --steps 5 --minutes 2", "Give one of --steps, --minutes."),
    row("train gan --epochs 0", "--epochs", "0 should be more than 0"),
    row("train gan --minutes -1", "--minutes", "-1 should be more than 0"),
    row("train gan --size 2", "--size", "should be 4 or more"),
    row("train gan --batch-size 0", "--batch-size", "should be 1 or more"),
    row("train gan --lr -1", "--lr", "should be 0 or more"),
    row("train gan --lr nan", "--lr"),
    row("train gan --beta1 2", "--beta1", "should be 1 or less"),
    row("train gan --seed -1", "--seed"),
    row("train gan --seed 4294967296", "--seed", "4294967295 or less"),
    row("train gan --channels 2", "--channels", "'1', '3', '4'"),
    row("train gan --precision fp64", "--precision", "'fp64'", "'bf16'"),
    row("train gan --loss hinge", "--loss", "'hinge'", "'non-saturating'"),
    row("train gan --g-layers 8-x", "'8-x'", "256-512", "--help"),
    row("train dcgan --size 12 -q", "not 12", "16 to 256", "--size 32"),
    row("sample gan -n 0", "-n", "should be 1 or more"),
    row("sample gan --truncation 0", "--truncation", "0 should be more than 0"),
    row("sample gan --grid 3by3", "--grid", "3by3", "COLSxROWS"),
    row("sample gan --grid 0x3", "0x3", "COLSxROWS"),
    # Data.
    row("train gan -q --data empty", "No images in ", "empty (", ".png"),
    row("train gan -q --data rotten", "No image in", "rotten can be used", "1.png"),
    row("train gan -q --data loose/1.png", "loose/1.png is a single file", "folder"),
    row("train gan -q --data a-file", "a-file is neither a folder nor a zip"),
    row("train cgan -q --data loose", "cgan needs classes", "sub-folder"),
    row("train cgan -q --data mixed", "cgan needs classes", "sub-folder"),
    row("data check empty", "No images in empty"),
    row("data check emptie", "emptie does not exist", "Did you mean empty?"),
    # Runs and models.
    row("sample dcgan", "There is no run of dcgan", "gantool train dcgan"),
    row("eval dcgan", "There is no run of dcgan", "gantool train dcgan"),
    row("sample gan --run packaged", "gantool carries no model of gan", "gantool train gan"),
    row("sample packaged/gan", "gantool carries no model of gan", "gantool train gan"),
    row("eval --run packaged", "--run packaged/cgan", "gantool models"),
    row("sample dcgan --run runs/mine", "runs/mine/model.safetensors is a gan", "gantool sample gan --run"),
    row("sample gan --run mien", "No run at mien", "Did you mean mine?"),
    row("sample gan --run nowhere.safetensors", "no file nowhere.safetensors"),
    row("sample gan --run runs/unsaved", "runs/unsaved has no model yet", "gantool resume", code=FAILED),
    row("sample gan --run cut.safetensors", "cut.safetensors is damaged", code=FAILED),
    row("sample gan --run stub.safetensors", "stub.safetensors is damaged", code=FAILED),
    row("sample gan --run empty.safetensors", "empty.safetensors is damaged", code=FAILED),
    row("sample gan --run flipped.safetensors", "flipped.safetensors is damaged", "checksum", code=FAILED),
    row("sample gan --run a-file", "a-file is damaged", code=FAILED),
    row("sample gan --run checkpoint.safetensors", "is a checkpoint, not a model", "--run RUN"),
    row("sample gan --run ghost.safetensors", "'ghost' of the package gantool-ghost", "pip install gantool-ghost",
        code=FAILED),
    row("sample gan --run misfit.safetensors", "does not fit", "made by gantool 0.2", code=FAILED),
    row("eval gan --run flipped.safetensors", "flipped.safetensors is damaged", code=FAILED),
    # Where to.
    row("sample gan --out grid.jpg", "grid.jpg", "FILE.png, FILE.gif, FILE.npz, FILE.idx, FILE.csv or a folder"),
    row("sample gan --out a-file/grid.png -q", "a-file/grid.png cannot be written", "--out"),
    row("sample gan --out a-file -q", "a-file cannot be written", "--out"),
    row("sample gan --out a-file/folder -q", "a-file/folder cannot be written", "--out"),
    row("train gan -q --name mine", "runs/mine is already there", "gantool resume runs/mine"),
    row("train gan -q --name a/b", "'a/b'", "no slashes", "--out"),
    row("train gan -q --name ..", "'..'", "not a name for a run"),
    row("train gan -q --name x --out y", "--name or --out, not both"),
    row("train gan -q --out a-file", "a-file", "--out"),
    row("train gan -q --out a-file/run", "a-file/run cannot be made", "--out"),
    row("train gan -q --out pets", "pets is already there"),
    # Devices.
    row("train gan -q --device gpu", "No device named 'gpu'", "Did you mean cuda?", "auto, cpu"),
    row("sample gan --device gpu", "No device named 'gpu'"),
    row("train gan -q --device cpu:3", "no device cpu:3"),
    # Resuming.
    row("resume nothing", "No run at nothing", "mine"),
    row("resume mine --quiet", "runs/mine is done: all 2 steps", "--steps 4"),
    row("resume mine --quiet --steps 1", "steps: 2 are done already, 1 asked for"),
    row("resume rotten --quiet", "no good checkpoint", "--config", code=FAILED),
    row("train gan --resume --name nothing", "No run at runs/nothing"),
    row("train gan -q --resume --name mine --lr 0.1 --seed 3", "lr: 0.0002 in the checkpoint, 0.1 now", "seed: 0 in"),
    row("train gan -q --resume --name mine --data pets", "data: digits in the checkpoint,", "pets now"),
    row("train cgan --resume --name mine", "runs/mine is a run of gan", "gantool resume runs/mine"),
    row("train cgan --resume", "There is no run of cgan"),
    # Files of settings.
    row("train gan --config nowhere.yaml", "--config", "nowhere.yaml", "does not exist"),
    row("train gan --config empty", "--config", "'empty' is a folder"),
    row("train gan --config list.yaml", "list.yaml is not a settings file", "lr: 2e-4"),
    row("train cgan --config runs/mine/config.yaml", "holds settings of 'gan', not 'cgan'", "gantool train gan"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words", "code"), MISTAKES)
def test_a_mistake_is_told_in_a_few_lines_and_changes_nothing(
    line: list[str], words: tuple[str, ...], code: int, scene: Path, gantool: Gantool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scene)
    before = tree(scene)
    result = gantool(*line)
    shown = (result.err, result.out)
    assert result.code == code, shown
    assert not result.out, shown
    assert "Traceback" not in result.err and "bug" not in result.err, shown
    assert len(result.err.splitlines()) <= 6, shown
    assert all(word in result.err for word in words), shown
    assert tree(scene) == before


YAML = {  # a settings file of gan, and what the error must say
    "lrr: 1": ("no such setting: lrr", "Did you mean lr?"),
    "lr: fast": ("lr:", "should be a number"),
    "lr: -1": ("lr:", "should be 0 or more"),
    "lr: .nan": ("lr:",),
    "lr: yes": ("lr:",),
    "lr: [0.1]": ("lr must be a single value",),
    "lr: {g: 1}": ("lr must be a single value",),
    "lr: 2020-01-01": ("lr must be a single value",),
    "steps: 2.5": ("steps:", "whole number"),
    "steps: true": ("steps:",),
    "steps: 0": ("steps:", "should be 1 or more"),
    "steps: 5\nepochs: 2": ("give one of steps, epochs",),
    "epochs: 0": ("epochs:", "0 should be more than 0"),
    "flip: 3": ("flip:", "true or false"),
    "channels: 2": ("channels:", "'1', '3', '4'"),
    "batch-size: 0": ("batch_size:", "should be 1 or more"),
    "loss: hinge": ("loss:", "'hinge'"),
    "variant: cgan\nlr: 1": ("holds settings of 'cgan', not 'gan'", "gantool train cgan"),
    "lr: 1\nlr: 2": ("lr is said twice",),
    "batch_size: 4\nbatch-size: 5": ("batch_size is said twice",),
    "lr: &a 1\nbeta1: *a": ("aliases are not used",),
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]": ("aliases are not used",),
    "lr: !!python/object/apply:os.system ['touch hacked']": ("is not a settings file", "tag"),
    "? [lr]\n: 1": ("is not a settings file",),
    "1: 2": ("is not a settings file",),
    "just words": ("is not a settings file", "lr: 2e-4"),
    "lr: 1\n---\nlr: 2": ("is not a settings file",),
    "lr: 'open": ("is not a settings file",),
    "[" * 1000: ("is not a settings file",),
    "{lr: " * 1000: ("is not a settings file",),
    "lr: " + "[" * 1000 + "]" * 1000: ("is not a settings file",),
    "\x00\x07": ("is not a settings file",),
    "x" * 200_000: ("is too long",),
    "preset: pytorch": ("no such setting: preset",),
    "config: other.yaml": ("no such setting: config",),
}


@pytest.mark.parametrize(("text", "words"), YAML.items(), ids=[text[:40] for text in YAML])
def test_a_bad_settings_file_is_named_with_its_key(text: str, words: tuple[str, ...], gantool: Gantool) -> None:
    Path("c.yaml").write_text(text)
    result = gantool("train", "gan", "--config", "c.yaml")
    assert result.code == USAGE and not result.out, result
    assert "c.yaml" in result.err and all(word in result.err for word in words), result
    assert len(result.err.splitlines()) <= 6 and len(result.err) < 600 and "Traceback" not in result.err
    assert [path.name for path in Path().iterdir()] == ["c.yaml"]


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\x00\x81", b"\x89PNG\r\n\x1a\n\x00", bytes(range(256)), b"\xc3("])
def test_a_binary_file_is_no_settings_file(rubbish: bytes, gantool: Gantool) -> None:
    Path("c.yaml").write_bytes(rubbish)
    result = gantool("train", "gan", "--config", "c.yaml")
    assert result.code == USAGE and "c.yaml" in result.err and len(result.err.splitlines()) <= 6, result


def test_an_absent_accelerator_is_told_with_what_there_is(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch, trained: Path
) -> None:
    import torch

    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: None)
    for line in (["train", "gan", "--quiet"], ["sample", "gan", "--run", str(trained)]):
        result = gantool(*line, "--device", "cuda")
        assert result.code == USAGE and not result.out
        assert "There is no cuda device here." in result.err and "--device cpu" in result.err
    assert not list(Path().rglob("*.safetensors"))


def test_in_an_empty_folder_there_is_nothing_to_resume(gantool: Gantool) -> None:
    for line in (["resume"], ["train", "gan", "--resume"]):
        result = gantool(*line)
        assert result.code == USAGE and "error: " in result.err and not result.out
    assert not list(Path().iterdir())


def test_classes_that_the_data_does_not_have_are_refused_by_name_and_number(
    gantool: Gantool, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = ("--steps", 1, "--batch-size", 2, "--networks", "mlp", *TINY[2:])
    assert gantool("train", "cgan", *tiny).code == 0
    result = gantool("sample", "cgan", "--digit", 12)
    assert result.code == USAGE and "No class '12'" in result.err and "0, 1, 2" in result.err
    assert gantool("train", "cgan", *tiny, "--data", scene / "pets", "--name", "pets").code == 0
    result = gantool("sample", "cgan", "--label", "cta")
    assert result.code == USAGE and "No class 'cta'. Did you mean cat?" in result.err and "cat, dog" in result.err
    assert not Path("cgan.png").exists()


def test_a_model_of_a_package_since_removed_names_what_to_install(gantool: Gantool, install: Install) -> None:
    source = '"""M."""\nfrom gantool.variants.gan import GAN\nclass Mine(GAN): ...\n'
    install("plug-mine", source, mine="Mine")
    assert gantool("train", "mine", "--steps", 1, *TINY, "--name", "m").code == 0
    for line in (["sample", "gan", "--run", "runs/m"], ["sample", "gan", "--run", "runs/m/model.safetensors"]):
        result = gantool("--no-plugins", *line)
        assert result.code == FAILED and "plug-mine 1.2" in result.err and "pip install plug-mine" in result.err
    assert gantool("--no-plugins", "runs").code == 0


def test_a_bug_is_called_one_in_a_line_and_shown_whole_on_request(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*args: object) -> None:
        raise ZeroDivisionError("division by zero\nand more")

    monkeypatch.setattr(train, "run_train", burst)
    result = gantool("train", "gan")
    assert result.code == FAILED and len(result.err.splitlines()) == 2
    assert "ZeroDivisionError: division by zero" in result.err and "GANTOOL_DEBUG=1" in result.err
    monkeypatch.setenv("GANTOOL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        gantool("train", "gan")
