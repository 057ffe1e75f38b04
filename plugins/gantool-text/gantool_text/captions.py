"""Images with captions, and captions as the numbers of their words."""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import torch
from gantool.api import USAGE, DataSpec, FromImages, ImageData, UserError
from torch import Tensor

LONGEST = 40  # words of a caption; what follows is not read
KNOWN = 2_000  # words of a vocabulary: the commonest
_word = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")  # noqa: RUF001  # as people type it


class Captions(FromImages):
    """(image, caption, caption of another image): each time one of an image's captions, and one of another's.

    A caption is the numbers of its words, from 1 on, and 0 after the last; a word that is not known has none. Image i
    has `count[i]` of the `texts`, from number `first[i]` on; one that has none is left out.
    """

    def __init__(self, images: ImageData, texts: Sequence[str], first: Tensor, count: Tensor) -> None:
        super().__init__(images)
        self.texts, words = tuple(texts), vocabulary(texts)
        self.numbers = numbers(texts, words)
        self.spec = DataSpec(images.spec.shape, words=words)
        self.which = count.nonzero().squeeze(1)
        self.first, self.count = first[self.which], count[self.which]

    def __len__(self) -> int:
        return len(self.which)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        x, _ = self.images.batch(self.which[index], rng)
        return x, *(self.numbers[rows] for rows in self.said(index, rng))

    def said(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which texts: one of each image's, and one of another's, whichever that is."""
        n, step = len(self), torch.randint(max(len(self) - 1, 1), (len(index),), generator=rng) + 1
        return self.one_of(index, rng), self.one_of((index + step) % n, rng)

    def one_of(self, index: Tensor, rng: torch.Generator) -> Tensor:
        return self.first[index] + (torch.rand(len(index), generator=rng) * self.count[index]).long()

    def fingerprint(self) -> str:
        said = "\n".join((*self.texts, str(self.first.tolist()), str(self.count.tolist())))
        return f"{super().fingerprint()}-{zlib.crc32(said.encode(errors='replace')):08x}"


def spelled(text: str) -> list[str]:
    """Its words in small letters: "A large, blue 3" is a, large, blue, 3."""
    return _word.findall(text.lower())


def vocabulary(texts: Iterable[str]) -> tuple[str, ...]:
    """The commonest words, in the order of the alphabet."""
    counts = Counter(word for text in texts for word in spelled(text)[:LONGEST])
    commonest = sorted(counts, key=lambda word: (-counts[word], word))[:KNOWN]
    return tuple(sorted(commonest))


def numbers(texts: Sequence[str], words: Sequence[str], length: int | None = None) -> Tensor:
    """A row for each text, as wide as the longest or as `length`."""
    place = {word: i + 1 for i, word in enumerate(words)}
    rows = [[place[word] for word in spelled(text)[:LONGEST] if word in place] for text in texts]
    wide = length or max(map(len, rows), default=1) or 1
    return torch.tensor([row + [0] * (wide - len(row)) for row in rows])


def written(numbers: Tensor, words: Sequence[str]) -> list[str]:
    """The captions again, as far as their words are known."""
    return [" ".join(words[i - 1] for i in row if i) for row in numbers.tolist()]


def understood(text: str, words: Sequence[str]) -> str:
    """The text, if a model that knows these words knows all of its own."""
    said, hint = spelled(text), "For example: --text 'a large blue three at the centre'"
    if not said:
        raise UserError(f"--text {text[:40]!r} has no word in it.", hint, USAGE)
    if len(said) > LONGEST:
        raise UserError(f"--text has {len(said)} words, and {LONGEST} are read at most.", "Say it shorter.", USAGE)
    if unknown := list(dict.fromkeys(word for word in said if word not in words)):
        near = [m for word in unknown for m in get_close_matches(word, words, 1)]
        meant = f" Did you mean {' and '.join(near)}?" if near else ""
        named = ", ".join(repr(word[:40]) for word in unknown[:8])
        many = "words" if len(unknown) > 1 else "a word"
        shown = ", ".join(words[:60]) + (", ..." if len(words) > 60 else "")
        raise UserError(f"This model was shown no caption with {many} {named}.{meant}", f"It knows: {shown}.", USAGE)
    return text
