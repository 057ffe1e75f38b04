"""Films commands in a terminal, as they ran, into one SVG that plays wherever an image is shown.

pip install pyte                                  # the terminal
python tools/film_terminal.py first.svg 'gantool sample cgan --digit 7 -n 16 --out sevens.png'

Commands run in this folder. Waits are shortened, typing is made up; what is on the screen is what the program wrote. A
PNG that a command writes by --out is shown beside its words. Where motion is not wanted, the last screen stands.
"""

import argparse
import base64
import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import termios
import time
from collections import defaultdict
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path

import pyte

PROMPT = "$ "
TYPING = 0.035  # seconds a character
LONGEST = 0.4  # seconds that a wait within a command becomes at most
READING = 2.5  # and the time to read what a command has said
GLANCE = 0.25  # between two looks at a screen that changes
CELL, LINE, SIZE = 8.43, 19, 14  # of a character: width, height, and the font's size
COLOURS = {
    "default": "#d8dee9", "black": "#6b7280", "red": "#ef8a80", "green": "#a3cf8a", "brown": "#ecc48d",
    "blue": "#82aaff", "magenta": "#c792ea", "cyan": "#7fdbca", "white": "#ffffff",
}  # fmt: skip
BACKGROUND = "#1b2230"

HALF = "▀"  # as images are drawn in a terminal: its colour above, the background's below

Row = tuple[tuple[int, str, str, str, bool], ...]  # runs of one look: column, text, colour, the one behind it, bold


@dataclass
class Film:
    columns: int
    rows: int
    now: float = 0.0
    shown: list[tuple[float, list[Row]]] = field(default_factory=list)
    images: list[tuple[float, float, Path]] = field(default_factory=list)  # from, to, what

    def __post_init__(self) -> None:
        self.screen = pyte.Screen(self.columns, self.rows)
        self.stream = pyte.ByteStream(self.screen)

    def look(self) -> None:
        rows = [self.row(y) for y in range(self.rows)]
        if not self.shown or self.shown[-1][1] != rows:
            self.shown.append((self.now, rows))

    def row(self, y: int) -> Row:
        line = self.screen.buffer[y]
        cells = [(x, line[x]) for x in range(self.columns)]
        runs = []
        for (colour, behind, bold), group in groupby(cells, key=lambda c: (c[1].fg, c[1].bg, c[1].bold)):
            several = list(group)
            text = "".join(cell.data for _, cell in several)
            if text.strip():
                start = len(text) - len(text.lstrip())
                runs.append((several[0][0] + start, text.strip(), colour, behind, bold))
        return tuple(runs)

    def type(self, command: str) -> None:
        self.screen.reset()
        self.stream.feed(PROMPT.encode())
        self.look()
        self.now += 0.5
        for letter in command:
            self.stream.feed(letter.encode())
            self.now += TYPING
            self.look()
        self.stream.feed(b"\r\n")
        self.now += 0.2

    def run(self, command: str, pace: float) -> None:
        """Let it run in a terminal of this size, and look at what it writes."""
        master, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        shape = {"TERM": "xterm-256color", "COLUMNS": str(self.columns), "LINES": str(self.rows)}
        child = subprocess.Popen(
            shlex.split(command),
            stdin=other,
            stdout=other,
            stderr=other,
            env=os.environ | shape,
            start_new_session=True,
        )
        os.close(other)
        heard = looked = time.monotonic()
        while True:
            ready, _, _ = select.select([master], [], [], 0.03)
            if not ready:  # it has drawn what it wanted to
                if heard > looked + GLANCE * pace:
                    looked = heard
                    self.look()
                continue
            try:
                data = os.read(master, 1 << 16)
            except OSError:  # Linux's way of saying that the other end is closed
                break
            if not data:
                break
            self.stream.feed(data)
            now = time.monotonic()
            self.now += min((now - heard) / pace, LONGEST)
            heard = now
        self.look()
        if child.wait():
            raise SystemExit(f"{command}: failed")
        begin = self.now
        self.now += READING
        if named := re.search(r"--out (\S+\.png)", command):
            self.images.append((begin, self.now, Path(named[1])))
        self.look()

    def svg(self) -> str:
        """Each line of the screen, for as long as it stood, shown and hidden by a style sheet."""
        whole = self.now + READING
        width, height = self.columns * CELL + 32, self.rows * LINE + 28
        styles, texts, last = {}, [], len(self.shown) - 1
        for y in range(self.rows):
            for row, group in groupby(range(last + 1), key=lambda i: self.shown[i][1][y]):
                several = list(group)
                if not row:
                    continue
                begin = self.shown[several[0]][0]
                end = self.shown[several[-1] + 1][0] if several[-1] < last else whole
                name = styles.setdefault((round(begin, 2), round(end, 2)), f"t{len(styles)}")
                kept = " z" if several[-1] == last else ""
                texts.append(f'<g class="{name}{kept}">{drawn(y, row)}</g>')
        side = height * 0.7
        for i, (begin, end, image) in enumerate(self.images):
            final = i == len(self.images) - 1
            spell = round(begin, 2), round(whole if final else end, 2)
            name = styles.setdefault(spell, f"t{len(styles)}")
            data = base64.b64encode(image.read_bytes()).decode()
            texts.append(
                f'<image class="{name}{" z" * final}" x="{width - side - 20:.0f}" y="{height - side - 20:.0f}" '
                f'width="{side:.0f}" height="{side:.0f}" style="image-rendering:pixelated" '
                f'href="data:image/png;base64,{data}"/>'
            )
        frames = "\n".join(
            f".{name}{{animation-name:{name}}}@keyframes {name}{{{moments(begin / whole, end / whole)}}}"
            for (begin, end), name in styles.items()
        )
        return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}">
<style>
text{{font:{SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}}
path{{shape-rendering:crispEdges}}
g,image{{visibility:hidden;animation:{whole:.2f}s step-end infinite}}
{frames}
@media (prefers-reduced-motion:reduce){{g,image{{animation:none}}.z{{visibility:visible}}}}
</style>
<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>
{chr(10).join(texts)}
</svg>
"""


def drawn(y: int, row: Row) -> str:
    """A line of the screen; of half blocks those of a colour together."""
    texts, blocks, top = list[str](), defaultdict[str, str](str), 14 + y * LINE
    for x, text, colour, behind, bold in row:
        left, long = 16 + x * CELL, len(text) * CELL
        if set(text) == {HALF}:
            for at, fill in ((top, colour), (top + LINE / 2, behind)):
                blocks[hexed(fill)] += f"M{left:.1f} {at:g}h{long + 0.4:.1f}v{LINE / 2}h{-long - 0.4:.1f}z"
            continue
        weight = ' font-weight="bold"' if bold else ""
        texts.append(
            f'<text x="{left:.1f}" y="{top + 14}" textLength="{long:.1f}" '
            f'fill="{hexed(colour)}"{weight}>{escape(text)}</text>'
        )
    return "".join([*(f'<path fill="{colour}" d="{where}"/>' for colour, where in blocks.items()), *texts])


def hexed(colour: str) -> str:
    """A colour's name, or six digits, as pyte gives them."""
    return COLOURS.get(colour) or (f"#{colour}" if len(colour) == 6 else COLOURS["default"])


def moments(begin: float, end: float) -> str:
    before = "0%{visibility:hidden}" if begin > 0 else ""
    after = f"{end:.3%}{{visibility:hidden}}" if end < 1 else "100%{visibility:visible}"
    return f"{before}{begin:.3%}{{visibility:visible}}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("commands", nargs="+")
    parser.add_argument("--size", default="84x20", help="columns x rows of the terminal")
    parser.add_argument("--pace", type=float, default=4, help="how many times as fast commands run in the film")
    chosen = parser.parse_args()
    film = Film(*(int(part) for part in chosen.size.split("x")))
    for command in chosen.commands:
        film.type(command)
        film.run(command, chosen.pace)
    chosen.out.write_text(film.svg(), encoding="utf-8")
    print(f"{chosen.out}: {film.now:.0f} seconds, {chosen.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
