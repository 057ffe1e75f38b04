"""A person's images with captions: captions.jsonl in their folder, or NAME.txt beside each image."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from gantool.api import USAGE, Recipe, UserError, open_folder

from gantool_text.captions import Captions, spelled

LINES = "captions.jsonl"
LARGEST = 64 * 2**20  # bytes of a file of captions
EXAMPLE = '{"file": "one.png", "caption": "a small red seven"}'


def opened(recipe: Recipe) -> Captions:
    root = Path(recipe.data).expanduser()
    if not root.is_dir():
        raise UserError(f"{root} is no folder, and captions are read from one.", "A zip must be unpacked.", USAGE)
    images = open_folder(root, recipe.size, recipe.channels, recipe.flip)
    notes = list(images.notes)
    if (root / LINES).is_file():
        found = from_lines(inside(root, LINES))
        here = set(images.names)
        if strange := [name for name in found if name not in here]:
            few = f"{LINES} names {len(strange)} files that are no usable image here, the first {strange[0]!r}."
            notes.append(few)
    else:
        found = beside(root, images.names)
    said = [found.get(name, []) for name in images.names]
    lacking = [name for name, texts in zip(images.names, said, strict=True) if not texts]
    if len(lacking) == len(said):
        there = f"{LINES} has none of its images" if found else f"neither {LINES} nor a NAME.txt beside NAME.png"
        raise UserError(f"No image in {root} has a caption: {there}.", f"A line of {LINES}: {EXAMPLE}", USAGE)
    if lacking:
        notes.append(f"left out {len(lacking)} images without a caption, the first {lacking[0]!r}.")
    count = torch.tensor([len(texts) for texts in said])
    data = Captions(images, [text for texts in said for text in texts], count.cumsum(0) - count, count)
    if (words := len({word for text in data.texts for word in spelled(text)})) > len(data.spec.words):
        notes.append(f"captions have {words:,} words, of which the {len(data.spec.words):,} commonest are read.")
    data.notes = tuple(notes)
    return data


def from_lines(path: Path) -> dict[str, list[str]]:
    """Captions by the image's name: a line for each, or several lines, or several captions in one."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise UserError(f"{path}, line {number} is no JSON: {line[:60]!r}", f"For example: {EXAMPLE}") from None
        file, said = _parts(entry)
        if file is None or not said:
            why = f"{path}, line {number} should name a file and its caption: {line[:60]!r}"
            raise UserError(why, f"For example: {EXAMPLE}")
        found.setdefault(file, []).extend(said)
    return found


def _parts(entry: Any) -> tuple[str | None, Sequence[str]]:
    """The file's name as gantool writes it, and captions that have words; None or nothing if that is not what it is."""
    if not isinstance(entry, Mapping):
        return None, []
    file, said = entry.get("file"), entry.get("caption")
    texts: list[Any] = said if isinstance(said, list) else [said]
    if not isinstance(file, str) or not all(isinstance(text, str) and spelled(text) for text in texts):
        return None, []
    return file.replace("\\", "/").removeprefix("./"), texts


def beside(root: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Of each image the lines of the .txt that is called as it is."""
    found = {}
    for name in names:
        if (root / name).with_suffix(".txt").is_file():
            lines = text_of(inside(root, str(Path(name).with_suffix(".txt")))).splitlines()
            found[name] = [line.strip() for line in lines if spelled(line)]
    return found


def inside(root: Path, name: str) -> Path:
    """A file of the folder, which a link may not lead out of."""
    if not (root / name).resolve().is_relative_to(root.resolve()):
        raise UserError(f"{root / name} leads out of the folder.", "Put the file itself there.", USAGE)
    return root / name


def text_of(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} is too large for captions.", f"{LARGEST // 2**20} MiB are read at most.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8.", "Save it as UTF-8.") from None
