"""What went wrong that is not a person's mistake, in a person's words."""

import errno
import os
import re

from gantool.errors import FAILED, RESUME, UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# As torch, CUDA, C++, Python, a loader and oneDNN (whose "primitive descriptor" is another matter) say it.
NO_MEMORY = re.compile(
    r"(out of|not enough) memory|(can't|cannot|could not|failed to|unable to) allocate|alloc_failed|bad_alloc"
    r"|could not (create|execute) a primitive$|failed to map segment|can't start new thread",
    re.IGNORECASE,
)


def explain(error: Exception) -> UserError:
    """An exception that is not a person's mistake, in a person's words."""
    kind = type(error).__name__
    onward = next((note for note in getattr(error, "__notes__", ()) if note.startswith(RESUME)), "")
    if out_of_memory(error):
        smaller = "a smaller --batch-size or --size"
        free = f"Free some memory and go on: {onward}\n  Or train anew with {smaller}."
        return UserError("Out of memory.", free if onward else f"Try {smaller}; to draw, a smaller -n or --device cpu.")
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        first = "Free some space" if error.errno in FULL else "Mend that" if onward else ""
        then = f", then: {onward}" if onward else " and give the command again." if first else ""
        return UserError(f"{error.strerror or kind}{where}.", first + then)
    what = str(error).strip().partition("\n")[0][:300]
    return UserError(f"{kind}: {what}", "This is a bug in gantool or a plugin; GANTOOL_DEBUG=1 shows where.", FAILED)


def out_of_memory(error: Exception) -> bool:
    """Every library has words of its own for it."""
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError | ImportError) and bool(NO_MEMORY.search(str(error))))
    )


def debugging() -> bool:
    return bool(os.environ.get("GANTOOL_DEBUG"))
