"""`gantool explain`: what stands beside an equation is the installed source, line for line."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from conftest import Gantool, Install

import gantool as library
from gantool.errors import UserError
from gantool.reading.source import Apart, called, lines_of, losses
from gantool.registry import Registry
from gantool.testing import check_explained
from gantool.variants.cgan import CGAN
from gantool.variants.gan import GAN

SOURCE = '''"""Mine: the game, with a loss of its own.

Paper: A page
"""

from gantool.api import Batch, Loss, Turn
from gantool.variants.gan import GAN


class Mine(GAN):
    """D lowers what I say."""

    def d_loss(self, batch: Batch) -> Loss:
        x, y, fake = batch
        return self.d_logits(fake, y).mean() - self.d_logits(x, y).mean()
'''
PAGE = """
- what: What D lowers
  where: equation 1
  maths: |
    ∇E[D(G(z))]
  words: The gap.
  code:
    - d_loss: |
        return self.d_logits(fake, y).mean() - self.d_logits(x, y).mean()
  options: [d_lr]
"""


@pytest.mark.parametrize("name", ["gan", "cgan", "dcgan"])
def test_the_lines_beside_an_equation_are_the_files_own(name: str) -> None:
    found = library.explain(name)
    assert found.written and len(found.equations) >= 9
    for lines in (lines for equation in found.equations for lines in equation.lines):
        file = lines.path.read_text(encoding="utf-8").splitlines()
        assert lines.path.as_posix().endswith(lines.place)
        for number, text in lines.numbered():
            assert text.strip() == file[number - 1].partition("  # type: ignore")[0].strip()


@pytest.mark.parametrize("name", ["gan", "cgan", "dcgan"])
def test_every_option_of_a_built_in_stands_beside_what_it_changes(name: str) -> None:
    shown = {knob.flag for equation in library.explain(name).equations for knob in equation.knobs}
    cls = Registry().load(name)
    assert {f"--{f.name.replace('_', '-')}" for f in fields(cls.Options)} <= shown


def test_an_option_is_shown_with_what_presets_make_of_it() -> None:
    loss = next(knob for e in library.explain("gan").equations for knob in e.knobs if knob.flag == "--loss")
    assert loss.default == "non-saturating" and loss.presets["paper"] == "saturating"


def mine(install: Install, page: str, source: str = SOURCE) -> None:
    folder = install("plug-mine", source, mine="Mine")
    (folder / "explain").mkdir()
    (folder / "explain" / "mine.yaml").write_text(page, encoding="utf-8")


def test_a_package_explains_its_own_variant(gantool: Gantool, install: Install) -> None:
    mine(install, PAGE)
    said = gantool("explain", "mine").out
    assert "1. What D lowers  (equation 1)" in said
    assert "     ∇E[D(G(z))]" in said
    assert "plug_mine/__init__.py, Mine.d_loss" in said
    assert "     15  return self.d_logits(fake, y).mean() - self.d_logits(x, y).mean()" in said
    assert "--d-lr" in said
    check_explained(Registry().load("mine"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("self.d_logits(fake, y).mean() -", "self.d_logits(fake, y).mean() +"), "Mine.d_loss in __init__.py has not:"),
        (("- d_loss: |", "- c_loss: |"), "'c_loss' is neither a method"),
        (("[d_lr]", "[speed]"), "mine has no option 'speed'"),
        (("what:", "whta:"), "a list of entries, each with `what`"),
        (("words:", "wrods:"), "no such key: wrods"),
        (("- what", "[}"), "while parsing"),
    ],
    ids=["line", "method", "option", "what", "key", "yaml"],
)
def test_a_page_that_has_moved_apart_from_the_code_is_refused(
    change: tuple[str, str], why: str, gantool: Gantool, install: Install
) -> None:
    mine(install, PAGE.replace(*change, 1))
    result = gantool("explain", "mine")
    assert result.code == 1 and why in result.err and "explain/mine.yaml" in result.err
    with pytest.raises(AssertionError, match="does not fit the installed source"):
        check_explained(Registry().load("mine"))


def test_a_line_that_is_there_twice_says_nothing() -> None:
    with pytest.raises(Apart, match="2 times"):
        lines_of(twice, "x = 1")
    assert lines_of(twice, "x = 1\nreturn x").text == "x = 1\nreturn x"


def twice() -> int:
    x = 1
    x = 1
    return x


def test_a_stranger_without_a_page_gets_its_turns_and_losses(gantool: Gantool, install: Install) -> None:
    install("plug-mine", SOURCE, mine="Mine")
    said = gantool("explain", "mine").out
    assert "no page of equations" in said and "D lowers what I say." in said
    for name in ("Variant.players", "Variant.turns", "Mine.d_loss", "Game.g_loss"):
        assert f", {name}\n" in said


def test_losses_are_found_where_turns_name_them() -> None:
    assert losses(GAN) == ["d_loss", "g_loss"]
    assert called(CGAN, "Projected.judged").__qualname__ == "Projected.judged"


def test_the_page_is_whole_in_itself(gantool: Gantool) -> None:
    result = gantool("explain", "gan", "--html", "gan.html")
    assert result.out == "gan.html\n"
    page = Path("gan.html").read_text(encoding="utf-8")
    assert "<script" not in page and "src=" not in page and "href=" not in page and "url(" not in page
    assert page.count("<section>") == len(library.explain("gan").equations)
    assert "lambda n: nn.BatchNorm1d(n, momentum=m) if m else None" in page
    assert "Goodfellow" in page and "E<sub>x</sub>[‖∇l(x)‖²]" in page


def test_json_has_it_all(gantool: Gantool) -> None:
    found: dict[str, Any] = json.loads(gantool("explain", "gan", "--json").out)
    assert found["name"] == "gan" and found["written"]
    (code,) = found["equations"][0]["code"]
    assert code["name"] == "Game.d_loss" and "softplus(-on_x)" in code["text"] and Path(code["file"]).is_file()


def test_what_cannot_be_explained_is_refused_in_words(gantool: Gantool) -> None:
    assert "Did you mean gan?" in gantool("explain", "gna").err
    assert gantool("explain").code == 2
    result = gantool("explain", "gan", "--html", "no/such/gan.html")
    assert result.code == 2 and "cannot be written" in result.err
    with pytest.raises(UserError):
        library.explain("nothing")
