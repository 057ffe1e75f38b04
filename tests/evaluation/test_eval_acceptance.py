"""Tests of `gantool accept`: what passes, what does not, and the card that says so."""

import json
import os
import signal
from pathlib import Path

import pytest
from conftest import Gantool, Install

from gantool.errors import UserError
from gantool.evaluation.cards import keep
from gantool.training.trainer import Trainer

PERFECT = """
'''Draws real digits, once it was trained.'''
import torch
from gantool.api import Recipe
from gantool.data.named import digits
from gantool.variants.gan import GAN

class Perfect(GAN):
    recipe = Recipe(steps=1, batch_size=4)
    from_the_start = False

    def __init__(self, options, data):
        options.g_layers = options.d_layers = "8"
        super().__init__(options, data)
        self.register_buffer("trained", torch.zeros(()))

    def d_loss(self, batch):
        self.trained.fill_(1.0)
        return super().d_loss(batch)

    def sample(self, n, options):
        x = digits()[0][torch.randperm(5000)[:n]] / 127.5 - 1
        return x if self.trained or self.from_the_start else torch.zeros_like(x)

class Suspect(Perfect):
    from_the_start = True
"""
GATES = (
    "- {data: digits, seconds: 1, thresholds: [class_balance_kl <= 0.1, coverage >= 0.7 x real, nearest_ratio <= 0.1]}"
)
SHORT = ("--budget", "1s", "--seeds", 2, "-n", 300)


@pytest.fixture
def cards(install: Install) -> Path:
    folder = install("plug-perfect", PERFECT, perfect="Perfect", suspect="Suspect") / "cards"
    folder.mkdir()
    for name in ("perfect", "suspect"):
        (folder / f"{name}.yaml").write_text(GATES)
    return folder


def test_a_perfect_generator_is_accepted_and_its_card_is_shown(gantool: Gantool, cards: Path) -> None:
    done = gantool("accept", "perfect", *SHORT, "--json", "--cards", cards)
    assert done.code == 0, done.err + done.out
    report = json.loads(done.out)
    assert [report] == json.loads((cards / "perfect.json").read_text())
    assert report["accepted"] is True and len(report["scores"]) == 2
    by_name = {row["score"]: row for row in report["thresholds"]}
    assert by_name["coverage"]["passed"] and by_name["nearest_ratio"]["median"] < 1e-6
    assert by_name["coverage"]["worst"] == min(scores["coverage"] for scores in report["scores"])
    assert by_name["class_balance_kl"]["worst"] == max(scores["class_balance_kl"] for scores in report["scores"])
    assert report["negative_controls"].keys() == {"untrained", "one image repeated", "blurred means"}
    shown = gantool("info", "perfect", "--all").out
    assert "perfect on digits, 1 s, seeds: 2: accepted" in shown and "coverage >= 0.7 x real" in shown
    brief = gantool("info", "perfect").out
    assert "digits  1 s          accepted" in brief and ">=" not in brief and len(brief.splitlines()) < 24


def test_a_card_keeps_what_it_says_of_other_data_and_times(tmp_path: Path) -> None:
    def found(data: str, seconds: float, seeds: int) -> dict[str, object]:
        made_by, machine = (
            {"gantool": "0", "torch": "0", "python": "3"},
            dict.fromkeys(("system", "processor", "cores", "device"), "x"),
        )
        return {"variant": "gan", "data": data, "trained": f"{seconds:g} s", "accepted": True,
                "thresholds_after": {"seconds": seconds, "steps": 0},
                "thresholds": [], "negative_controls": {}, "seeds": seeds, "steps": [1], "n": 9, "judge": None,
                "command": "gantool",
                "made_by": made_by, "machine": machine}  # fmt: skip

    card = tmp_path / "cards" / "gan.json"
    for data, seconds, seeds in (("mnist", 300, 1), ("digits", 180, 1), ("digits", 60, 1), ("digits", 180, 3)):
        keep(card, found(data, seconds, seeds))
    kept = [(c["data"], c["trained"], c["seeds"]) for c in json.loads(card.read_text())]
    assert kept == [("digits", "60 s", 1), ("digits", "180 s", 3), ("mnist", "300 s", 1)]
    titles = [line for line in card.with_suffix(".md").read_text().splitlines() if line.startswith("# ")]
    assert [title.split(":")[0] for title in titles] == [
        "# gan on digits, 60 s, seeds", "# gan on digits, 180 s, seeds", "# gan on mnist, 300 s, seeds"
    ]  # fmt: skip
    card.write_text('{"variant": "gan"}')
    with pytest.raises(UserError, match="holds no cards"):
        keep(card, found("mnist", 300, 1))
    assert card.read_text() == '{"variant": "gan"}'


def test_so_many_steps_are_the_same_anywhere(gantool: Gantool, cards: Path) -> None:
    (cards / "perfect.yaml").write_text(GATES.replace("seconds: 1", "steps: 3"))
    done = gantool("accept", "perfect", "--steps", 5, "--seeds", 1, "-n", 300, "--json")
    report = json.loads(done.out)
    assert done.code == 0 and report["steps"] == [5] and report["command"].endswith("--steps 5 --seeds 1")
    page = Path("cards/perfect.md").read_text()
    assert "# perfect on digits, 5 steps, seeds: 1: accepted" in page
    assert len(report["minutes"]) == 1 and report["minutes"][0] >= 0 and "; minutes: " in page


def test_a_negative_control_that_passes_every_threshold_accepts_nothing(gantool: Gantool, cards: Path) -> None:
    done = gantool("accept", "suspect", "--budget", "1s", "--seeds", 1, "-n", 300)
    assert done.code == 1
    assert "NOT accepted" in done.out and "FAIL" not in done.out
    assert [line.split() for line in done.out.splitlines() if "NOTHING" in line] == [["untrained", "NOTHING"]]
    assert "NOT accepted" in Path("cards/suspect.md").read_text()


def test_without_thresholds_there_is_nothing_to_hold_it_to(gantool: Gantool, cards: Path) -> None:
    done = gantool("accept", "perfect", "--data", "mnist")
    assert (done.code, "no thresholds of perfect on mnist" in done.err, "digits" in done.err) == (2, True, True)
    short = gantool("accept", "perfect", "--steps", 3)
    assert short.code == 2 and "perfect on digits after 3 steps" in short.err and "digits, 1 s" in short.err
    both = gantool("accept", "perfect", "--steps", 3, "--budget", "1s")
    assert both.code == 2 and "Give one of them" in both.err
    wrong = gantool("accept", "perfect", "--budget", "never")
    assert wrong.code == 2 and "such as 90s, 5m or 1h" in wrong.err
    assert gantool("accept", "perfcet").code == 2


def test_a_signal_ends_the_training_in_hand_and_begins_no_other(
    gantool: Gantool, cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Trainer.take_step

    def take_step(self: Trainer) -> None:
        taken(self)
        if self.step >= 5:
            monkeypatch.setattr(Trainer, "take_step", taken)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "take_step", take_step)
    (cards / "perfect.yaml").write_text(GATES.replace("seconds: 1", "steps: 30"))  # no clock decides how many
    assert gantool("accept", "perfect", "--seeds", 2, "--cards", cards).code == 143
    assert [run.name for run in Path("runs").iterdir()] == ["perfect-001"]
    assert not (cards / "perfect.json").exists()
