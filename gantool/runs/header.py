"""The first bytes of a model file, which say what is in it. Imports no torch."""

import json
from pathlib import Path
from typing import Any

LONGEST = 16 * 2**20  # bytes


def facts(path: Path) -> dict[str, Any]:
    """Only the facts, read from the header: for listings, not for trust. Nothing where it has none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length) if length <= LONGEST else b"")
        found = json.loads(header["__metadata__"]["gantool"])["facts"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
