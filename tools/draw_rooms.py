"""Draw docs/images/rooms.svg: the rooms of gantool, each above those it imports, as the modules have it.

With --check, only say whether it is stale.
"""

import ast
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from test_layout import FACADES, MODULES, ROOMS, imported, room_of  # noqa: E402

IMAGE = ROOT / "docs" / "images" / "rooms.svg"
STACK = [*ROOMS[:-1], "testing", ROOMS[-1], "api", "variants", "cli", "__main__", ""]  # from the ground up
TITLES = {"": "__init__"}

WIDTH, MARGIN, COLUMN, ROW, BOX = 1060, 18, 22, 26, 86  # pixels
INK, SOFT, LINE, ROOM, FACADE = "#1f2937", "#6b7280", "#d5dbe5", "#2f5d8c", "#b4691f"
FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
KEY = "A dot: what stands at the right end of its row imports what stands at the foot of its column."


def edges() -> set[tuple[str, str]]:
    """Who imports whom, room by room. gantool's version, which lies in __init__, may be anyone's."""
    found = {(room_of(name), room_of(other)) for name, path in MODULES.items() for other in imported(path)}
    return {(room, other) for room, other in found if other not in (room, "")} | {("", room) for room in offered()}


def offered() -> set[str]:
    """Where `import gantool` finds its names, which it looks up when they are used."""
    import gantool

    return {"library", *map(room_of, gantool.HOME.values())}


def about(room: str) -> str:
    """The first sentence of its docstring."""
    text = ast.get_docstring(ast.parse(MODULES[f"gantool.{room}".rstrip(".")].read_bytes())) or ""
    return text.partition("\n")[0].partition(". ")[0].rstrip(".").replace("`", "")


def fitting(words: str, pixels: float) -> str:
    """As much of a sentence as there is room for, cut where it pauses."""
    while len(words) * 5.9 > pixels and ":" in words:
        words = words.rpartition(":")[0]
    return words


def is_folder(room: str) -> bool:
    return room != "" and MODULES[f"gantool.{room}"].stem == "__init__"


def x_of(room: str) -> int:
    return MARGIN + COLUMN * STACK.index(room)


def y_of(room: str) -> int:
    return MARGIN + ROW * (len(STACK) - 1 - STACK.index(room)) + ROW // 2


def row(room: str, uses: list[str]) -> list[str]:
    """Its name, what it is, and a dot above each room that it imports."""
    x, y, name, folder = x_of(room), y_of(room), TITLES.get(room, room), is_folder(room)
    colour = FACADE if room in (*FACADES, "variants") else ROOM
    lines = []
    if uses:
        lines.append(f'<path d="M{min(map(x_of, uses)) + COLUMN // 2} {y}H{x}" stroke="{LINE}"/>')
    lines += [
        f'<circle cx="{x_of(used) + COLUMN // 2}" cy="{y}" r="4.5" fill="{colour}">'
        f"<title>{name} imports {TITLES.get(used, used)}</title></circle>"
        for used in uses
    ]
    lines.append(f'<rect x="{x}" y="{y - 10}" width="{BOX}" height="20" rx="5" stroke="{colour}" '
                 f'fill="{colour if folder else "#fff"}"/>')  # fmt: skip
    lines.append(f'<text x="{x + BOX // 2}" y="{y + 4}" text-anchor="middle" font-weight="600" '
                 f'fill="{"#fff" if folder else colour}">{name}</text>')  # fmt: skip
    words = fitting(about(room), WIDTH - MARGIN - x - BOX - 10)
    lines.append(f'<text x="{x + BOX + 10}" y="{y + 4}" fill="{SOFT}">{escape(words)}</text>')
    return lines


def pillar(room: str, users: list[str]) -> str:
    """From a room up to the highest that imports it."""
    middle = x_of(room) + COLUMN // 2
    return f'<path d="M{middle} {y_of(room) - 10}V{min(map(y_of, users))}" stroke="{LINE}"/>'


def key(y: int) -> list[str]:
    lines = [f'<circle cx="{MARGIN + COLUMN // 2}" cy="{y}" r="4.5" fill="{ROOM}"/>',
             f'<text x="{MARGIN + 26}" y="{y + 4}" fill="{INK}">{KEY}</text>']  # fmt: skip
    x = MARGIN + 610
    kinds = (("a folder", ROOM, ROOM), ("a file", "#fff", ROOM), ("handed to people", FACADE, FACADE))
    for words, fill, colour in kinds:
        lines.append(f'<rect x="{x}" y="{y - 7}" width="22" height="14" rx="4" fill="{fill}" stroke="{colour}"/>')
        lines.append(f'<text x="{x + 30}" y="{y + 4}" fill="{INK}">{words}</text>')
        x += 54 + 7 * len(words)
    return lines


def image() -> str:
    every = edges()
    assert {room_of(name) for name in MODULES} == set(STACK), "every room has its place"
    height = 2 * MARGIN + ROW * len(STACK) + 34
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" font-family="{FONT}" font-size="12" role="img">')  # fmt: skip
    lines = [head, "<title>The rooms of gantool, each above those it imports</title>",
             f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#fff"/>']  # fmt: skip
    for room in STACK:
        if users := [user for user in STACK if (user, room) in every]:
            lines.append(pillar(room, users))
    for room in reversed(STACK):
        lines += row(room, [used for used in STACK if (room, used) in every])
    return "\n".join([*lines, *key(height - MARGIN - 12), "</svg>", ""])


def main() -> int:
    drawn = image()
    if "--check" in sys.argv[1:]:
        if not IMAGE.exists() or IMAGE.read_text(encoding="utf-8") != drawn:
            print(f"{IMAGE.relative_to(ROOT)} is stale: python tools/draw_rooms.py", file=sys.stderr)
            return 1
        return 0
    IMAGE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
