"""gantool in notebooks: the tour runs as it is committed, and the stop button gives back a run that goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from test_docs import ROOT

TOUR = ROOT / "examples" / "tour.ipynb"
SECONDS = 300  # for a cell, on whatever machine


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, of which the kernel knows nothing but this Python."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def shown(cell: Any, kind: str) -> list[str]:
    """All of a kind that a cell put out."""
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def test_the_tour_is_committed_as_it_was_written() -> None:
    tour = nbformat.read(TOUR, 4)
    nbformat.validate(tour)
    for cell in tour.cells:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None, cell.id
        assert max(map(len, cell.source.splitlines())) <= 120, cell.id


@pytest.mark.long
def test_the_tour_runs_and_shows_what_it_made(folder: Path) -> None:
    tour = nbformat.read(TOUR, 4)
    NotebookClient(tour, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    cells = {cell.id: cell for cell in tour.cells if cell.cell_type == "code"}
    assert [name for name, cell in cells.items() if any(o.output_type == "error" for o in cell.outputs)] == []
    assert {name for name, cell in cells.items() if shown(cell, "image/png")} == {"draw", "sevens", "resume"}
    watched, card = shown(cells["train"], "text/html")
    assert "step 200 of 200" in watched and "200 steps of 32, seed 0" in watched and "image/png;base64" in watched
    assert "step 200 of 200, done" in card and "image/png;base64" in card
    table = shown(cells["measure"], "text/html")[-1]
    assert "label_accuracy" in table and "<th>floor</th><th>ceiling</th>" in table
    assert shown(cells["runs"], "text/plain") == ["[<run runs/cgan-001: cgan, step 400 of 400, done>]"]
    assert Path("sevens.png").is_file()


@pytest.fixture
def kernel(folder: Path) -> Iterator[Callable[..., str]]:
    """`kernel(code)` runs a cell and gives its value; `stop_at` is a printed word that presses the stop button."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))

    def cell(code: str, stop_at: str = "") -> str:
        asked, value = client.execute(code), ""
        while True:
            message = client.get_iopub_msg(timeout=SECONDS)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != asked:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                return value
            if kind == "stream" and stop_at and stop_at in content["text"]:
                manager.interrupt_kernel()
                stop_at = ""
            assert kind != "error", "\n".join(content["traceback"])
            if kind == "execute_result":
                value = content["data"]["text/plain"]

    try:
        yield cell
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


TRAINING = """
import time
import gantool

small = dict(g_layers="8", d_layers="8", batch_size=4, steps=12, device="cpu")


def on_step(trainer):
    if trainer.step == 5:
        print("five", flush=True)
        while not trainer.stop:  # the button is pressed meanwhile
            time.sleep(0.01)


run = gantool.train("gan", name="cut", on_step=on_step, progress=True, **small)
run.state, run.step, run.outcome.ending
"""


def test_the_stop_button_gives_back_a_run_that_resumes_to_the_same_bytes(kernel: Callable[..., str]) -> None:
    assert kernel(TRAINING, stop_at="five") == "('stopped', 5, 'interrupted')"
    then = "run = gantool.resume(run, progress=True)\nwhole = gantool.train('gan', name='whole', **small)\nrun.state"
    assert kernel(then) == "'done'"
    cut, whole = (Path("runs", name, "model.safetensors").read_bytes() for name in ("cut", "whole"))
    assert cut == whole
