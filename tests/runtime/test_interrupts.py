"""A signal ends a command also where what is being imported swallows what is raised."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from gantool.runtime.signals import EXIT, Interrupted, Signals

SWALLOWS = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):  # a signal is heard between two instructions
        pass
except BaseException:
    pass
done = True
"""
WRAPS = """
import os, signal
class Name:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass
class Owner:
    name = Name()
done = True
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself SIGTERM")
@pytest.mark.parametrize("text", [SWALLOWS, WRAPS])
def test_an_import_can_neither_swallow_nor_change_it(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_to_import.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_to_import", raising=False)
    with pytest.raises(Interrupted) as caught, Signals():
        import slow_to_import  # type: ignore[import-not-found]

        assert slow_to_import.done
        time.sleep(60)
    assert caught.value.code == EXIT[signal.SIGTERM]
    sys.modules.pop("slow_to_import", None)


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself SIGTERM")
def test_elsewhere_it_is_raised_there_and_then() -> None:
    with pytest.raises(Interrupted), Signals():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)
        pytest.fail("it went on")
