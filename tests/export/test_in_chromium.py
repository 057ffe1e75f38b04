"""Pages in a browser, where there is one: offline, by keyboard, on a telephone's width, with names that are hostile."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import made
import pytest

import gantool
from gantool.api import DataSpec

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--enable-logging=stderr",
         "--disable-background-networking", "--virtual-time-budget=12000", "--proxy-server=127.0.0.1:9")  # fmt: skip
DRIVER = """<!doctype html><body><iframe id="f" src="page.html" style="width:360px;height:800px"></iframe>
<pre id="seen"></pre><script>
const later = (ms) => new Promise((done) => setTimeout(done, ms));
document.getElementById("f").onload = async () => {
  const page = document.getElementById("f").contentDocument, view = document.getElementById("f").contentWindow;
  const $ = (id) => page.getElementById(id), seen = {}, image = (id) => $(id).toDataURL();
  const press = (id, key, shiftKey = false) =>
    $(id).dispatchEvent(new view.KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }));
  const say = (id, value) => { $(id).value = value; $(id).dispatchEvent(new view.Event("input", { bubbles: true })); };
  try {
    await later(500);
    STEPS
  } catch (error) { seen.error = String(error); }
  document.getElementById("seen").textContent = JSON.stringify(seen);
};
</script></body>"""
COMMON = """
    seen.levels = +page.documentElement.dataset.levels;
    seen.requests = view.performance.getEntriesByType("resource").map((r) => r.name);
    seen.wide = page.documentElement.scrollWidth;
    seen.check = $("check").textContent;
    seen.images = page.querySelectorAll("img").length;
"""


def driven(folder: Path, steps: str) -> dict[str, Any]:
    """What a page in a frame of 360 pixels showed, step by step."""
    (folder / "driver.html").write_text(DRIVER.replace("STEPS", COMMON + steps), "utf-8")
    assert CHROMIUM
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", f"file://{folder}/driver.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found and found[1], done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    seen: dict[str, Any] = json.loads(unescape(found[1]))
    assert "error" not in seen, seen
    assert seen["requests"] == [] and seen["wide"] <= 360 and seen["levels"] <= 1, seen
    return seen


def test_a_page_answers_to_keys_and_sliders_offline(tmp_path: Path) -> None:
    hostile = '</script><img src=x onerror="alert(1)">'
    spec = DataSpec((1, 16, 16), ("zero", hostile, "two"))
    gantool.export(made.model("cgan", spec, width=2, d_width=2), tmp_path / "page.html")
    seen = driven(tmp_path, """
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


def test_a_page_of_a_mixture_holds_a_component(tmp_path: Path) -> None:
    gantool.export(made.model("gan", g_layers="32", d_layers="8", components=5), tmp_path / "page.html")
    seen = driven(tmp_path, """
    seen.grids = [image("grid")];
    for (const k of ["2", "3", "99", ""]) { say("component", k); await later(300); seen.grids.push(image("grid")); }
    """)  # fmt: skip
    first, second, third, *rest = seen["grids"]
    assert len({first, second, third}) == 3 and rest == [first, first]
