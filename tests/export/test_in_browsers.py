"""Pages in browsers, where there are: offline, by keyboard, on a telephone's width, with names that are hostile."""

from pathlib import Path

import made
import pytest
from browsers import driven, either

import gantool
from gantool.api import DataSpec

pytestmark = [pytest.mark.long, either]


def test_a_page_answers_to_keys_and_sliders_offline(browser: str, tmp_path: Path) -> None:
    hostile = '</script><img src=x onerror="alert(1)">'
    spec = DataSpec((1, 16, 16), ("zero", hostile, "two"))
    gantool.export(made.model("cgan", spec, width=2, d_width=2), tmp_path / "page.html")
    seen = driven(browser, tmp_path, """
    seen.names = [...page.querySelectorAll(".pick span")].map((span) => span.textContent);
    seen.grids = [image("grid")];
    press("grid", "ArrowRight"); press("grid", "ArrowDown"); press("grid", "ArrowRight", true);
    seen.picked = [$("from").value, $("to").value];
    page.querySelectorAll(".pick input")[1].click(); await later(300);
    seen.grids.push(image("grid"));
    say("direction-0", 3); await later(300);
    seen.grids.push(image("grid"));
    $("reset").click(); say("seed", "7"); await later(300);
    seen.grids.push(image("grid"));
    say("seed", "-1"); seen.wrong = $("status").textContent;
    seen.ways = [0, 0.5, 1].map((t) => { say("way", t); return image("chosen"); });
    $("walk").click(); seen.walking = $("walk").getAttribute("aria-pressed"); await later(1500);
    seen.walked = image("chosen"); $("walk").click(); seen.stopped = $("walk").textContent;
    const saved = []; view.URL.createObjectURL = (blob) => { saved.push([blob.type, blob.size]); return "data:,"; };
    $("save").click(); $("save-one").click(); $("save-film").click();
    for (let i = 0; i < 50 && saved.length < 3; i++) await later(100);
    seen.saved = saved;
    """)  # fmt: skip
    assert seen["names"] == ["all", "zero", hostile, "two"] and seen["images"] == 0
    assert seen["picked"] == ["10", "3"]
    assert len(set(seen["grids"])) == 4 and len(set(seen["ways"])) == 3
    assert "whole number" in seen["wrong"] and seen["walking"] == "true" and seen["stopped"] == "Walk"
    assert seen["walked"] not in seen["ways"][:1]
    assert sorted(kind for kind, size in seen["saved"] if size > 100) == ["image/gif", "image/png", "image/png"]
    assert "10 images were drawn again" in seen["check"]


def test_a_page_of_a_mixture_holds_a_component(browser: str, tmp_path: Path) -> None:
    gantool.export(made.model("gan", g_layers="32", d_layers="8", components=5), tmp_path / "page.html")
    seen = driven(browser, tmp_path, """
    seen.grids = [image("grid")];
    for (const k of ["2", "3", "99", ""]) { say("component", k); await later(300); seen.grids.push(image("grid")); }
    """)  # fmt: skip
    first, second, third, *rest = seen["grids"]
    assert len({first, second, third}) == 3 and rest == [first, first]
