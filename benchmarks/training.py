"""Images a second of the script, the bare loop and gantool's own command line, each a process, turn about."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from networks import NETWORKS, Network
from table import show

HERE = Path(__file__).parent
PERIOD = 12.0  # seconds from one checkpoint to the next, a preview halfway: as in two minutes at gantool's defaults
LOG = 25  # gantool's own --log-every
FEWEST, MOST = 50, 1_000  # steps between previews at the least, and between checkpoints at most, by default


class Ran(NamedTuple):
    """What came of a process."""

    images_per_s: float
    megabytes: float  # of memory, at its peak


def training(args: Namespace) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        return show(
            "training: images/s; b is the bare loop, c gantool's command line, a the script",
            (compare(NETWORKS[name], args, Path(folder)) for name in args.only or NETWORKS),
        )


def compare(net: Network, args: Namespace, folder: Path) -> dict[str, Any]:
    """The medians of several rounds, and of each round's own ratios: a machine's speed drifts, for all alike."""
    rounds: list[dict[str, Ran]] = []
    for _ in range(args.rounds):
        now = {"a": timed("script.py", net, args), "b": timed("bare.py", net, args)}
        steps = now["b"].images_per_s / net.images
        now["c"] = gantool(net, args, folder, steps)
        if args.plain:
            now["p"] = gantool(net, args, folder, steps, "--ema-images", "0")
        rounds.append(now)

    def rate(who: str) -> int:
        return round(median(r[who].images_per_s for r in rounds))

    def ratio(one: str, other: str) -> float:
        return round(median(r[one].images_per_s / r[other].images_per_s for r in rounds), 2)

    row: dict[str, Any] = {"network": net.name, "a": rate("a"), "b": rate("b"), "c": rate("c")}
    row |= {"c/b": ratio("c", "b"), "c/a": ratio("c", "a"), "asked": net.demanded, "b/a": ratio("b", "a")}
    if args.plain:
        row["c/b no EMA"] = ratio("p", "b")
    return row | {f"{who} MB": round(max(r[who].megabytes for r in rounds)) for who in "abc"}


def timed(program: str, net: Network, args: Namespace) -> Ran:
    """The script or the bare loop, which time themselves after a warm-up."""
    where = ["--data-dir", str(args.data_dir)] if args.data_dir else []
    said, peak = finished([sys.executable, str(HERE / program), net.name, "--seconds", str(args.seconds),
                           "--device", args.device, *where])  # fmt: skip
    return Ran(json.loads(said.splitlines()[-1])["images_per_s"], peak)


def gantool(net: Network, args: Namespace, folder: Path, steps: float, *more: str) -> Ran:
    """`gantool train` on a terminal of its own, from log line to log line; with whole periods of previews and saves."""
    period = max(2 * FEWEST, round(steps * min(PERIOD, args.seconds) / (2 * FEWEST)) * 2 * FEWEST)
    periods = max(1, round(args.seconds / PERIOD))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        run = Path(out) / "run"
        flags = {"steps": LOG + periods * period, "sample_every": period // 2, "save_every": min(period, MOST)}
        settings = net.settings() | flags | {"out": run, "device": args.device}
        settings |= {"data": "mnist", "data_dir": args.data_dir} if args.data_dir else {"data": "digits"}
        command = [f"--{key.replace('_', '-')}={value}" for key, value in settings.items()]
        with offered() as site:
            _, peak = finished([sys.executable, "-m", "gantool", "train", net.variant, *command, *more], site)
        lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        logged = [line for line in lines if "images_per_s" in line]
    # A line's seconds are those since the line before, with what was drawn and saved after it.
    took = sum(LOG * net.batch / line["images_per_s"] for line in logged[1:])
    return Ran(periods * period * net.images / took, peak)


@contextmanager
def offered() -> Iterator[Path]:
    """A folder that offers bench_variants to gantool as an installed package would, without installing anything."""
    with tempfile.TemporaryDirectory() as site:
        info = Path(site) / "gantool_bench-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gantool-bench\nVersion: 0\n")
        (info / "entry_points.txt").write_text(
            "[gantool.variants]\nbench-wgan-gp = bench_variants:MLPWGANGP\n"
            "bench-dcgan = bench_variants:UpsamplingDCGAN\n"
            + ("[gantool]\nbeside = beside:Beside\n" if "GANTOOL_BESIDE" in os.environ else "")
        )
        yield Path(site)


def finished(command: list[str], site: Path | None = None) -> tuple[str, float]:
    """Runs it, on a terminal where a site is given; what it said, and its peak memory in MB."""
    paths = [*([str(site)] if site else []), str(HERE), str(HERE.parent), str(HERE.parent / "plugins/gantool-wgan-gp")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), *paths]),
        "GANTOOL_PLUGINS": "gantool-bench", "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40",
    }  # fmt: skip
    reader, writer = os.openpty() if site else os.pipe()
    said: list[bytes] = []

    def listen() -> None:
        with suppress(OSError):  # how a terminal says that the other side is gone
            while part := os.read(reader, 65536):
                said.append(part)

    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
    os.close(writer)
    ear = threading.Thread(target=listen)
    ear.start()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    ear.join()
    os.close(reader)
    text = b"".join(said).decode(errors="replace")
    if process.returncode:
        sys.exit(f"{' '.join(command)}\n{text[-3000:]}")
    return text, used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
