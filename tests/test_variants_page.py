"""docs/variants.md is what the cards say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_of_variants_is_made_of_the_cards() -> None:
    """Packages need not be installed for that, and no network is built."""
    line = [sys.executable, "tools/make_variants.py", "--check"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "variants.md").read_text(encoding="utf-8")
    for card in ROOT.glob("plugins/*/*/cards/*.json"):
        assert f"**[{card.stem}](" in page
