"""`gantool diff`: what is said to differ does, and what is not said is the same."""

import json
from typing import Any

from conftest import Gantool, Install

import gantool as library
from gantool.registry import Registry
from gantool.training.session import schema_of
from gantool.variant import parameters_of

OTHER = '''"""Other: dcgan with another loss for G, and other defaults."""

from dataclasses import dataclass

from gantool.api import Batch, Loss
from gantool.variants.dcgan import DCGAN


class Other(DCGAN):
    @dataclass(kw_only=True)
    class Options(DCGAN.Options):
        lr: float = 0.5
        d_lr: float | None = 0.25

    def g_loss(self, batch: Batch) -> Loss:
        """Words that change nothing."""
        return -self.d_logits(batch[-1], batch[1]).mean()
'''


def test_a_variant_is_the_same_as_itself() -> None:
    found = library.diff("gan", "gan")
    assert found.settings == found.code == ()
    assert found.networks and not any(row.differs for row in (*found.networks, *found.players))


def test_settings_are_those_that_a_training_would_have() -> None:
    found = library.diff("gan", "dcgan")
    schemas = [schema_of(name, Registry().load(name)) for name in ("gan", "dcgan")]
    defaults: list[dict[str, Any]] = [{s.key: s.default for s in schema.stored()} for schema in schemas]
    one, other = ({(key, str(value)) for key, value in values.items()} for values in defaults)
    assert {row.name for row in found.settings} == {key for key, _ in one ^ other}
    rows = {row.name: (row.a, row.b) for row in found.settings}
    assert rows["components"] == ("half as many as images, 2,000 at most; from 20,000 images on 0", "200")
    assert rows["g_layers"][1] == "-" and rows["deviation"][0] == "-"


def test_networks_are_counted_as_they_are_built() -> None:
    rows = {row.name: row for row in library.diff("gan", "dcgan").networks}
    assert not rows["built for"].differs and rows["built for"].a == "28x28x1, 10 classes"
    assert "Linear x4" in rows["generator"].a and "ConvTranspose2d" in rows["generator"].b
    g = Registry().load("gan")
    trained = g(g.resolve(g.Options(), data := g.dataset(g.recipe, g.Options())), data.spec)
    assert rows["generator"].a.startswith(f"{parameters_of(trained)['generator']:,}: "), "of a mixture for these data"
    assert rows["discriminator"].a.startswith(f"{784 * 512 + 512 + 512 * 256 + 256 + 256 + 1:,}: ")


def test_what_a_package_changes_is_shown_line_by_line(gantool: Gantool, install: Install) -> None:
    install("plug-other", OTHER, other="Other")
    said = gantool("diff", "dcgan", "other").out
    assert said.startswith("other, beside dcgan: other extends dcgan\n")
    assert "Adam, lr 0.25, moves discriminator" in said
    assert "\ng_loss: gantool/variants/gan.py:" in said and "-> plug_other/__init__.py:" in said
    assert "  +    return -self.d_logits(batch[-1], batch[1]).mean()\n" in said
    assert "Words that change nothing" not in said
    assert "\nd_loss:" not in said and "\nturns:" not in said, "these are the same"
    found = json.loads(gantool("diff", "dcgan", "other", "--json").out)
    assert [change["name"] for change in found["code"]] == ["g_loss"]
    assert {row["name"] for row in found["settings"]} == {"lr", "d_lr"}


def test_a_variant_that_cannot_be_built_is_compared_all_the_same(gantool: Gantool, install: Install) -> None:
    body = "class Picky(GAN):\n    def networks(self):\n        raise UserError('Only on Sundays.')\n"
    install(
        "plug-picky", f"from gantool.api import UserError\nfrom gantool.variants.gan import GAN\n{body}", picky="Picky"
    )
    said = gantool("diff", "gan", "picky").out
    assert "Only on Sundays." in said


def test_two_names_are_needed(gantool: Gantool) -> None:
    assert gantool("diff").code == gantool("diff", "gan").code == gantool("diff", "gan", "gna").code == 2
    assert "gantool diff gan dcgan" in gantool("diff").err and "gantool diff gan dcgan" in gantool("diff", "gan").err
