"""docs/images/rooms.svg is drawn from what the modules import, and as they do now."""

import importlib.util
import re
from types import ModuleType

import pytest
from test_docs import ROOT
from test_layout import FACADES, MODULES, ROOMS, imported, room_of


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_rooms", ROOT / "tools" / "draw_rooms.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(image: str) -> set[tuple[str, str]]:
    """What the dots say."""
    found = re.findall(r"<title>(\w+) imports (\w+)</title>", image)
    return {(room.replace("__init__", ""), used) for room, used in found}


def test_the_image_of_the_rooms_has_a_dot_for_each_import_and_no_other(tool: ModuleType) -> None:
    image = tool.IMAGE.read_text(encoding="utf-8")
    again = "the rooms have changed: python tools/draw_rooms.py"
    assert drawn(image) == tool.edges(), again
    assert image == tool.image(), again
    inside = {(a, b) for a, b in tool.edges() if a not in FACADES and b not in FACADES}
    for name, path in MODULES.items():
        for other in imported(path):
            room, used = room_of(name), room_of(other)
            assert room == used or {room, used} & {*FACADES} or (room, used) in inside, name


def test_in_the_image_a_room_stands_above_all_that_it_imports(tool: ModuleType) -> None:
    assert [room for room in tool.STACK if room in ROOMS] == ROOMS
    for room, used in tool.edges():
        assert tool.y_of(room) < tool.y_of(used) and tool.x_of(used) < tool.x_of(room), (room, used)


def test_an_import_that_is_new_makes_the_image_stale(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tool.IMAGE.read_text(encoding="utf-8")
    usual = tool.imported
    monkeypatch.setattr(tool, "imported", lambda path: [*usual(path), "gantool.hookspecs"])
    assert ("library", "hookspecs") in tool.edges() - drawn(image)
    monkeypatch.setattr(tool.sys, "argv", ["draw_rooms.py", "--check"])
    assert tool.main() == 1
