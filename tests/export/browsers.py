"""Opens pages in Chromium and in Firefox, where there are: on a telephone's width, without a network."""

import json
import re
import shutil
import subprocess
from html import unescape
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from page_in_node import TIMED, Inputs, written

from gantool.export.page import RUNTIME, part
from gantool.export.program import Program

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--enable-logging=stderr",
         "--disable-background-networking", "--proxy-server=127.0.0.1:9")  # fmt: skip
# A frame may be looked into from a file beside it; what a page says is said on stdout; the browser calls nobody.
PREFERENCES = {
    "security.fileuri.strict_origin_policy": False, "devtools.console.stdout.content": True,
    "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
    "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
}  # fmt: skip
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
  if (REPORT) fetch(REPORT, { method: "POST", mode: "no-cors", body: JSON.stringify(seen) });
};
</script></body>"""
COMMON = """
    seen.levels = +page.documentElement.dataset.levels;
    seen.requests = view.performance.getEntriesByType("resource").map((r) => r.name);
    seen.wide = page.documentElement.scrollWidth;
    seen.check = $("check").textContent;
    seen.images = page.querySelectorAll("img").length;
"""
IN_PAGE = "const read = () => given, print = (x) => { document.getElementById('seen').textContent = x; };"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
either = pytest.mark.parametrize(
    "browser",
    [
        pytest.param("chromium", marks=needs_chromium),
        pytest.param("firefox", marks=pytest.mark.skipif(FIREFOX is None, reason="needs Firefox")),
    ],
)


def driven(browser: str, folder: Path, steps: str) -> dict[str, Any]:
    """What folder/page.html, in a frame of 360 pixels, showed, step by step."""
    seen = (in_chromium if browser == "chromium" else in_firefox)(folder, COMMON + steps)
    assert "error" not in seen, seen
    assert seen["requests"] == [] and seen["wide"] <= 360 and seen["levels"] <= 1, seen
    return seen


def driver(folder: Path, steps: str, report: str = "") -> str:
    path = folder / "driver.html"
    path.write_text(DRIVER.replace("STEPS", steps).replace("REPORT", json.dumps(report)), "utf-8")
    return f"file://{path}"


def in_chromium(folder: Path, steps: str) -> dict[str, Any]:
    """It prints what became of the page, after so many seconds of its own time."""
    shown = dumped(driver(folder, steps), folder, "--virtual-time-budget=12000")
    return json.loads(shown)  # type: ignore[no-any-return]


def dumped(address: str, folder: Path, *flags: str) -> str:
    """What stands in the page's element `seen` once it is done."""
    assert CHROMIUM
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found and found[1], done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return unescape(found[1])


def in_firefox(folder: Path, steps: str) -> dict[str, Any]:
    """It prints nothing: what drives the page, not the page, sends here what it saw."""
    assert FIREFOX
    profile, listener = folder / "firefox", Listener()
    profile.mkdir()
    lines = (f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines), "utf-8")
    command = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), driver(folder, steps, listener.address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        try:
            seen = listener.wait(120)
        finally:
            running.terminate()
            said = running.communicate(timeout=30)[0]
    assert seen is not None, said[-2000:]
    assert "console." not in said and "JavaScript error: file" not in said, said[-2000:]
    return seen


class Listener(HTTPServer):
    """Takes one message, on loopback."""

    seen: dict[str, Any] | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.address = f"http://127.0.0.1:{self.server_port}/"

    def wait(self, seconds: float) -> dict[str, Any] | None:
        self.timeout = seconds
        self.handle_request()
        self.server_close()
        return self.seen


class Taking(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        self.server.seen = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


def milliseconds(program: Program, inputs: Inputs, folder: Path) -> float:
    """What an image takes in Chromium once the scripts are warm, in 16 bits."""
    script = "\n".join([*(part(f"{name}.js") for name in RUNTIME), IN_PAGE, TIMED])
    given = json.dumps([written(program, inputs, "fp16")])  # of numbers and base64: no tag can end here
    page = folder / "timed.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><pre id="seen"></pre><script>const given = {given};\n{script}</script>',
        "utf-8",
    )
    return float(dumped(f"file://{page}", folder))
