"""How fast gantool is, here: python benchmarks [SECTION...].

Each section prints a table. Nothing else should be running on the machine.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

from networks import NETWORKS

SECTIONS = (
    "training", "beside", "kernels", "growth", "sampling", "startup", "files", "monitor", "pages", "busy", "quality",
)  # fmt: skip
SECONDS = """of each timing (default 12); in shorter ones previews and checkpoints come more often
than in a default run, which makes gantool slower than it is"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"default: training; of {', '.join(SECTIONS)}, all"
    )
    parser.add_argument("--only", action="append", choices=NETWORKS, help="this network; may be said again")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is timed, turn about (default 3)")
    parser.add_argument("--seconds", type=float, default=12.0, help=SECONDS)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST; else the embedded digits")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--plain", action="store_true", help="training: gantool with --ema-images 0, too")
    parser.add_argument("--marks", default="10,20,40,80,160", help="quality: seconds from Enter (default %(default)s)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="quality: a checkout to stand beside, no script")
    parser.add_argument("--alone", action="store_true", help="quality: gantool, and nothing beside it")
    parser.add_argument("--data", metavar="NAME", help="quality: train on mnist or fashion-mnist, in --data-dir")
    parser.add_argument("--variant", action="append", metavar="NAME", help="quality: this variant; may be said again")
    parser.add_argument("--beside", type=int, metavar="N", help="busy: processes (default two a core)")
    parser.add_argument("--image", type=Path, metavar="FILE.png", help="quality: also draw it there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all rows there")
    args = parser.parse_args()
    sections = SECTIONS if "all" in args.sections else args.sections or SECTIONS[:1]
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}, all")
    found = {name: getattr(importlib.import_module(name), name)(args) for name in sections}
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
