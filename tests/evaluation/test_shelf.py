"""`gantool list`: by task, and with what the cards say."""

import json
import statistics
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import gantool as package
from gantool.config.packages import Offer
from gantool.evaluation import shelf
from gantool.evaluation.cards import cards_in

CARDS = Path(package.__file__).parent / "variants" / "cards"


def test_variants_stand_under_their_tasks(gantool):
    lines = gantool("list").out.splitlines()
    noise, classes = (next(i for i, line in enumerate(lines) if line.startswith(f"images {of}  ")) for of in
                      ("from noise", "of a class"))  # fmt: skip
    place = {line.split()[0]: i for i, line in enumerate(lines) if line.strip()}
    assert noise < place["dcgan"] < place["gan"] < classes < place["cgan"]


def test_the_table_has_threshold_median_and_minutes_of_each_card(gantool):
    rows = {row["name"]: row for row in json.loads(gantool("list", "--table", "--json").out)}
    for name in ("gan", "cgan", "dcgan"):
        first = cards_in(CARDS / f"{name}.json")[0]
        row = next(row for row in first["thresholds"] if not row["score"].startswith("class"))
        assert rows[name]["figure"] == row["median"] and rows[name]["accepted"] is first["accepted"]
        assert rows[name]["threshold"] == f"{row['score']} {row['threshold']}"
        took = first.get("minutes", [first["thresholds_after"]["seconds"] / 60])  # the first cards tell no more
        assert rows[name]["minutes"] == statistics.median(took)
    shown = gantool("list", "--table").out.splitlines()
    assert shown[0].split()[:2] == ["variant", "data"]
    (gan,) = (line for line in shown if line.startswith("gan "))
    assert "confident >= 0.85" in gan and gan.endswith("accepted")


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shelved").mkdir()
    (tmp_path / "shelved" / "__init__.py").write_text('"""Shelved: one.\n\nTask: images from noise\n"""\n')
    return Offer(EntryPoint("shelved", "shelved:Shelved", "gantool.variants"))


@pytest.mark.parametrize("card", [None, "[]", "{", "[1]"])
def test_one_without_a_card_that_can_be_read_has_none_yet(offer: Offer, tmp_path: Path, card: str | None, monkeypatch):
    monkeypatch.setattr(Offer, "package", "gantool-shelved")
    if card is not None:
        (tmp_path / "shelved" / "cards").mkdir()
        (tmp_path / "shelved" / "cards" / "shelved.json").write_text(card)
    found = shelf.line(offer)
    assert (found.name, found.task, found.figure) == ("shelved", "images from noise", None)
    assert found.cells()[-1] == "no card yet"


def test_minutes_are_the_median_of_the_seeds(offer: Offer, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Offer, "package", "gantool-shelved")
    card = json.loads((CARDS / "gan.json").read_text())[0] | {"minutes": [2.0, 9.0, 3.0], "accepted": False}
    (tmp_path / "shelved" / "cards").mkdir()
    (tmp_path / "shelved" / "cards" / "shelved.json").write_text(json.dumps([card]))
    found = shelf.line(offer)
    assert found.minutes == 3.0 and found.cells()[-2:] == ("3", "NOT accepted")


def test_each_data_set_is_told_of_by_its_first_card(offer: Offer, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Offer, "package", "gantool-shelved")
    (tmp_path / "shelved" / "cards").mkdir()
    (tmp_path / "shelved" / "cards" / "shelved.json").write_text((CARDS / "cgan.json").read_text())
    found = {line.data: line for line in shelf.of_data(offer)}
    assert list(found) == ["digits", "fashion-mnist", "mnist"]
    assert found["digits"] == shelf.line(offer) and found["digits"].trained == "60 s"
