"""The one exception a person is meant to see, and the help of a near match."""

from collections.abc import Iterable
from difflib import get_close_matches

RESUME = "gantool resume"  # how a note on an error begins that says how the run goes on
FAILED, USAGE = 1, 2  # exit codes; 130 and 143 are an interrupted, resumable run


# What people who come from elsewhere type, without dashes in front, and what it is called here.
SYNONYMS = {
    "amp": "precision", "batch": "batch-size", "bs": "batch-size", "checkpoint": "run", "class": "label",
    "d-learning-rate": "d-lr", "dataroot": "data", "dataset": "data", "ema": "ema-images", "ema-decay": "ema-images",
    "epoch": "epochs", "fp16": "precision", "gpu": "device", "half": "precision", "image-size": "size",
    "img-size": "size", "iterations": "steps", "iters": "steps", "latent-dim": "z",
    "learning-rate": "lr", "load": "run", "max-steps": "steps", "mirror": "flip", "mixed-precision": "precision",
    "model": "run", "n-critic": "d-steps", "n-epochs": "epochs", "ncritic": "d-steps", "ngf": "width",
    "num-classes": "label", "num-epochs": "epochs", "num-samples": "n", "nz": "z", "optim": "optimizer",
    "outdir": "out", "output": "out", "resolution": "size", "samples": "n", "snapshot": "save-every",
    "train-steps": "steps", "trunc": "truncation", "weights": "run", "z-dim": "z", "zdim": "z",
}  # fmt: skip


class UserError(Exception):
    """What was wrong, in a sentence; `hint` says what would be right."""

    def __init__(self, message: str, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.message, self.hint, self.code = message, hint, code

    def _render_traceback_(self) -> list[str]:
        """In a notebook: what was wrong and what would be right, and no traceback."""
        return [f"error: {self.message}", *([f"  {self.hint}"] if self.hint else [])]


def printable(text: str) -> str:
    """The text with what a terminal would obey or cannot show spelled out: names may be anyone's."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(n: int, what: str) -> str:
    """1 step, 2,000 steps."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' Did you mean gan?', or nothing. What the field calls a flag comes before what is spelled alike."""
    known = list(known)
    meant = f"--{SYNONYMS.get(word.lstrip('-').replace('_', '-').lower(), '')}"
    near = [meant] if word.startswith("--") and meant in known else get_close_matches(word, known)
    return f" Did you mean {' or '.join(near)}?" if near else ""
