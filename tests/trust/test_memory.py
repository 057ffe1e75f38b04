"""R10: out of memory. What was saved is kept, the next command is named, and no batch becomes smaller by itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import shortage
from faults import two_at_a_time
from spawned import VARIANTS, Command, learned

from gantool.runs import sealed
from gantool.runs.run import RunFolder

RUN = Path("runs/r")
SHORT = ("train", *VARIANTS["gan"], "--name", "r", "--quiet", "--steps")
SMALLER = "a smaller --batch-size or --size"
MB = 2**20
# Where a device may find that it is full: (module, function, calls that go well).
PLACES = {
    "building": ("gantool.variant", "Variant.to", 0),
    "the first step": ("gantool.training.trainer", "Trainer.take_step", 0),
    "a step": ("gantool.training.trainer", "Trainer.take_step", 7),
    "the last step": ("gantool.training.trainer", "Trainer.take_step", 11),
    "a player's turn": ("gantool.training.trainer", "Trainer.play", 15),
    "averaging": ("gantool.training.ema", "EMA.update", 7),
    "reading losses": ("gantool.training.trainer", "Trainer.read_window", 2),
    "the first image": ("gantool.training.trainer", "Trainer.preview", 0),
    "an image": ("gantool.training.trainer", "Trainer.preview", 1),
    "looking at weights": ("gantool.training.trainer", "Trainer.check_weights", 1),
    "the model": ("gantool.runs.model", "sealed_of", 1),
    "a checkpoint": ("gantool.training.trainer", "Trainer.state", 1),
    "the film": ("gantool.viz.drawing", "animate", 0),
}


def complains(command: Command) -> str:
    assert command.wait() == 1, (command.out, command.err)
    lines = command.err.splitlines()
    assert lines[0] == "error: Out of memory.", command.err
    assert len(lines) <= 6
    return command.err


def as_before(run: Path, batch_size: int = 4) -> None:
    """The batch is as large as was asked for, everywhere it is written down."""
    assert f"batch_size: {batch_size}\n" in (run / "config.yaml").read_text()
    for file in run.glob("checkpoints/step-*"):
        assert sealed.load(file)[0]["settings"]["batch_size"] == batch_size


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What an unbroken training learns."""
    folder = tmp_path_factory.mktemp("whole")
    assert Command((*SHORT, 12), folder, ()).wait() == 0
    return learned(folder / RUN)


@pytest.mark.promise("R10")
def test_a_full_device_says_how_to_go_on_and_the_run_does(start, tried, whole, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def ended(**hooks: tuple[object, ...]) -> Iterator[tuple[str, Path, Command]]:
        for place in PLACES:
            folder = tmp_path / place
            folder.mkdir(exist_ok=True)
            begun = (folder / RUN / "config.yaml").exists()
            words = ("resume", "r", "-q") if begun else (*SHORT, 12)
            hook = hooks.get(place, ())
            yield place, folder / RUN, lambda f=folder, w=words, h=hook: start(*w, folder=f, hook=h)

    for place, run, command in two_at_a_time(ended(**{p: (shortage.device, *PLACES[p]) for p in PLACES})):
        said = complains(command)
        assert SMALLER in said, place
        assert ("gantool resume runs/r\n" in said) == run.exists() == (place != "building"), place
        if run.exists():
            as_before(run)
    for place, run, again in two_at_a_time(ended()):
        assert again.wait() == 0, (place, again.err)
        assert learned(run) == whole, place
    tried("full devices", len(PLACES))


@pytest.mark.promise("R10")
def test_a_batch_that_cannot_fit_names_what_to_make_smaller(start, tried, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    huge = (*SHORT, 12, "--batch-size", 4_000_000)
    said = complains(start(*huge, hook=(shortage.address_space, 300 * MB)))
    assert SMALLER in said and "gantool resume runs/r\n" in said
    as_before(tmp_path / RUN, 4_000_000)
    assert RunFolder(tmp_path / RUN).saved() == []
    other = start(*SHORT, 12, "--name", "smaller", hook=(shortage.address_space, 300 * MB))
    assert other.wait() == 0, other.err
    changed = start("train", "gan", "--resume", "--name", "r", "--batch-size", 8)
    assert changed.wait() == 2 and "batch_size: 4000000" in changed.err
    tried("batches that cannot fit")


@pytest.mark.promise("R10")
def test_under_any_limit_a_run_ends_well_or_says_that_memory_is_short_and_goes_on(  # type: ignore[no-untyped-def]
    start, times, tried, whole, tmp_path: Path
) -> None:
    count, refused = times(4, 40), 0
    for number in range(count):
        limit = 2 * MB + number * 120 * MB // count
        command = start(*SHORT, 12, hook=(shortage.address_space, limit))
        if command.wait() != 0:
            complains(command)
            refused += 1
        if (tmp_path / RUN / "config.yaml").exists():
            if command.wait() != 0:
                assert start("resume", "r", "-q").wait() == 0
        else:
            assert start(*SHORT, 12).wait() == 0
        assert learned(tmp_path / RUN) == whole
        shutil.rmtree(tmp_path / RUN)
    assert refused > 0
    tried("limits on address space", count)


@pytest.mark.promise("R10")
def test_a_resumed_run_that_no_longer_fits_keeps_its_checkpoint(start, tried, whole, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert start(*SHORT, 12, hook=(shortage.device, *PLACES["a step"])).wait() == 1
    before = {path: path.read_bytes() for path in RunFolder(tmp_path / RUN).saved()}
    assert before
    for hook in ((shortage.device, "gantool.training.trainer", "Trainer.restore", 0), (shortage.address_space, 8 * MB)):
        said = complains(start("resume", "r", hook=hook))
        assert "gantool resume runs/r\n" in said
        assert {path: path.read_bytes() for path in RunFolder(tmp_path / RUN).saved()} == before
    assert start("resume", "r", "-q").wait() == 0
    assert learned(tmp_path / RUN) == whole
    tried("resumptions that did not fit", 2)


@pytest.mark.promise("R10")
@pytest.mark.parametrize("streamed", [False, True])
def test_memory_that_ends_while_images_are_read_leaves_none_of_them_out(  # type: ignore[no-untyped-def]
    start, times, tried, tmp_path: Path, images, streamed: bool
) -> None:
    folder = images({f"{side}/{n}.png": colour for side, colour in (("a", "red"), ("b", "blue")) for n in range(6)})
    train = (*SHORT, 12, "--data", folder)
    unlimited = (shortage.decoding, 10**9, streamed)
    assert start(*train, "--name", "whole", hook=unlimited).wait() == 0
    afters = (5, 40) if streamed else (5,)
    for after in afters:
        said = complains(start(*train, hook=(shortage.decoding, after, streamed)))
        assert "left out" not in said and SMALLER in said
        if (tmp_path / RUN / "config.yaml").exists():
            assert "gantool resume runs/r\n" in said
            again = start("resume", "r", "-q", hook=unlimited)
        else:
            again = start(*train, hook=unlimited)
        assert again.wait() == 0, again.err
        assert learned(tmp_path / RUN) == learned(tmp_path / "runs/whole")
        shutil.rmtree(tmp_path / RUN)
    tried("images that no memory was left for", len(afters))


@pytest.mark.promise("R10")
def test_drawing_and_measuring_without_memory_leave_what_was(start, tried, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert start(*SHORT, 12).wait() == 0
    assert start("sample", "gan", "-n", 4, "-q", "-o", "out.png").wait() == 0
    before = (tmp_path / "out.png").read_bytes()
    for args in (("sample", "gan", "--force", "-o", "out.png"), ("eval", "gan")):
        said = complains(start(*args, hook=(shortage.device, "gantool.variant", "Variant.sample", 0)))
        assert "-n" in said and "--device cpu" in said
    said = complains(
        start(
            "sample",
            "gan",
            "-n",
            10**8,
            "--interpolate",
            "--force",
            "-o",
            "out.png",
            hook=(shortage.address_space, 300 * MB),
        )
    )
    assert (tmp_path / "out.png").read_bytes() == before
    tried("images and measures that did not fit", 3)
