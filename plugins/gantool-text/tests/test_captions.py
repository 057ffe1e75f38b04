"""Words, folders with captions, and the data set `captions`."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import USAGE, DataSpec, ImageData, Recipe, UserError, judged_digits, open_data
from gantool.testing import check_data
from PIL import Image
from torch import Tensor

from gantool_text import captions, folder, scenes
from gantool_text.captions import Captions, numbers, spelled, understood, vocabulary, written
from gantool_text.reading import framed, read
from gantool_text.scenes import COLOURS, DIGITS, MEANINGS, PLACES, SIZES, Meant, held_out, ways

torch.set_num_threads(1)
Folder = Callable[..., Path]


def opened(path: Path, **recipe: Any) -> Captions:
    return folder.opened(Recipe(data=str(path), **recipe))


@pytest.fixture
def images(tmp_path: Path) -> Folder:
    """Of the colour that their name begins with; anything else is a file's text."""

    def images(*names: str, **texts: str) -> Path:
        root = tmp_path / "images"
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), Path(name).stem.rstrip("0123456789")).save(root / name)
        return root

    return images


def lines(root: Path, *entries: Any) -> Path:
    (root / "captions.jsonl").write_text("\n".join(e if isinstance(e, str) else json.dumps(e) for e in entries))
    return root


# Words.


def test_words_are_small_letters_without_signs() -> None:
    assert spelled("A large, blue 3 -- at the CENTRE!") == ["a", "large", "blue", "3", "at", "the", "centre"]
    assert spelled("the cat's well-known Öl_bild") == ["the", "cat's", "well-known", "öl", "bild"]
    assert spelled(" ... ") == []


def test_captions_are_numbers_from_one_and_back() -> None:
    words = vocabulary(["a red cat", "a dog"])
    assert words == ("a", "cat", "dog", "red")
    rows = numbers(["a red cat", "A DOG!", "dog, mouse, cat"], words)
    assert rows.tolist() == [[1, 4, 2], [1, 3, 0], [3, 2, 0]]
    assert written(rows, words) == ["a red cat", "a dog", "dog cat"]
    assert numbers(["mouse"], words).tolist() == [[0]] and numbers([], words).shape[0] == 0
    assert numbers(["a"], words, 3).tolist() == [[1, 0, 0]]


def test_the_vocabulary_is_the_commonest_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "KNOWN", 2)
    assert vocabulary(["b c a", "b c", "b"]) == ("b", "c")
    monkeypatch.setattr(captions, "LONGEST", 1)
    assert vocabulary(["b c a", "b c", "d"]) == ("b", "d")
    assert numbers(["b d"], ("b", "d")).tolist() == [[1]]


WORDS = ("a", "blue", "large", "purple", "three")


def test_a_text_of_known_words_is_understood() -> None:
    assert understood("A LARGE blue three.", WORDS) == "A LARGE blue three."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a purpel three", "a word 'purpel'. Did you mean purple?"),
        ("a purpel thre xyzzy", "words 'purpel', 'thre', 'xyzzy'. Did you mean purple and three?"),
        ("xyzzy", "a word 'xyzzy'."),
        ("", "no word in it"),
        ("?!", "no word in it"),
        ("a " * 41, "41 words, and 40"),
    ],
)
def test_what_is_not_understood_is_named(text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        understood(text, WORDS)
    assert words in error.value.message and error.value.code == USAGE and error.value.hint
    if "xyzzy" in text:
        assert "It knows: a, blue, large, purple, three." in error.value.hint


# Batches.


def counted(said: list[list[str]]) -> Captions:
    """Images as bright as their number."""
    n, count = len(said), torch.tensor([len(s) for s in said])
    pixels = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 4, 4).contiguous()
    return Captions(ImageData(pixels), [t for texts in said for t in texts], count.cumsum(0) - count, count)


def test_a_image_comes_with_one_of_its_captions_and_one_of_another_s() -> None:
    data = counted([["zero a", "zero b"], [], ["two"], ["three a", "three b", "three c"]])
    assert len(data) == 3 and data.spec == DataSpec((1, 4, 4), (), ("a", "b", "c", "three", "two", "zero"))
    rng, met = torch.Generator().manual_seed(0), set[tuple[int, str, str]]()
    for _ in range(200):
        x, t, other = data.batch(torch.arange(3), rng)
        said, others = (written(rows, data.spec.words) for rows in (t, other))
        met |= set(zip(x[:, 0, 0, 0].tolist(), said, others, strict=True))
    assert {(number, caption) for number, caption, _ in met} == {
        (0, "zero a"), (0, "zero b"), (2, "two"), (3, "three a"), (3, "three b"), (3, "three c")
    }  # fmt: skip
    own = {0: "zero", 2: "two", 3: "three"}
    assert all(not other.startswith(own[number]) for number, _, other in met)
    assert {other for number, _, other in met if number == 2} == {
        "zero a", "zero b", "three a", "three b", "three c"
    }  # fmt: skip


def test_a_batch_is_a_function_of_numbers_and_rng() -> None:
    data = counted([["a", "b", "c"], ["d", "e", "f"], ["g", "h"]])
    one, same, other = (data.batch(torch.tensor([2, 0, 1]), torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_other_captions_are_other_data() -> None:
    data = [counted(said) for said in ([["a"], ["b"]], [["b"], ["a"]], [["a", "b"], []], [["a"], ["b"]])]
    prints = [d.fingerprint() for d in data]
    assert prints[0] == prints[3] and len(set(prints)) == 3


# Folders.


def test_captions_of_a_file_of_lines(images: Folder) -> None:
    root = images("a/red.png", "sub/blue.png", "sub/green.png")
    lines(
        root, {"file": "a/red.png", "caption": "A red square."}, "",
        {"file": "sub/blue.png", "caption": ["Blue", "a sea"]},
        {"file": "./a/red.png", "caption": "warm"}, {"file": "sub\\green.png", "caption": "green", "by": 1},
    )  # fmt: skip
    data = opened(root)
    assert len(data) == 3 and data.notes == () and data.spec.classes == ()
    assert set(data.spec.words) == {"a", "red", "square", "blue", "sea", "warm", "green"}
    assert met(data) == {
        ((255, 0, 0), "a red square"), ((255, 0, 0), "warm"), ((0, 0, 255), "blue"), ((0, 0, 255), "a sea"),
        ((0, 128, 0), "green"),
    }  # fmt: skip


def met(data: Captions) -> set[tuple[Any, str]]:
    found, rng = set(), torch.Generator().manual_seed(0)
    for _ in range(60):
        x, t, _ = data.batch(torch.arange(len(data)), rng)
        found |= set(zip(map(tuple, x[:, :, 0, 0].tolist()), written(t, data.spec.words), strict=True))
    return found


def test_captions_beside_images(images: Folder) -> None:
    """Also where one folder holds all that there is, as a zip unpacks."""
    root = images("all/a/red.png", "all/b/blue.png", "all/b/blue2.png")
    (root / "all/a/red.txt").write_text("A red one\n\n another \n", encoding="utf-8-sig")
    (root / "all/b/blue.txt").write_text("the blue")
    data = opened(root)
    assert met(data) == {((255, 0, 0), "a red one"), ((255, 0, 0), "another"), ((0, 0, 255), "the blue")}
    assert data.notes == ("left out 1 images without a caption, the first 'all/b/blue2.png'.",)


def test_images_without_captions_are_counted_and_named(images: Folder) -> None:
    root = lines(images("red.png", "blue.png", "green.png"), {"file": "red.png", "caption": "red"})
    data = opened(root)
    assert len(data) == 1
    assert data.notes == ("left out 2 images without a caption, the first 'blue.png'.",)


def test_words_beyond_the_commonest_are_counted(images: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "KNOWN", 2)
    data = opened(lines(images("red.png"), {"file": "red.png", "caption": ["a red", "a red dot", "a spot"]}))
    assert data.spec.words == ("a", "red")
    assert data.notes == ("captions have 4 words, of which the 2 commonest are read.",)


def test_names_do_not_leave_the_folder(images: Folder) -> None:
    root = images("red.png")
    Image.new("RGB", (8, 8), "white").save(root.parent / "secret.png")
    (root.parent / "secret.txt").write_text("a secret")
    outside = [{"file": name, "caption": "a secret"} for name in ("../secret.png", str(root.parent / "secret.png"))]
    data = opened(lines(root, *outside, {"file": "red.png", "caption": "red"}))
    assert met(data) == {((255, 0, 0), "red")} and data.spec.words == ("red",)
    assert data.notes == ("captions.jsonl names 2 files that are no usable image here, the first '../secret.png'.",)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
@pytest.mark.parametrize("name", ["red.txt", "captions.jsonl"])
def test_links_do_not_leave_the_folder(images: Folder, name: str) -> None:
    root = images("red.png")
    (root.parent / "secret").write_text(json.dumps({"file": "red.png", "caption": "a secret"}))
    (root / name).symlink_to(root.parent / "secret")
    with pytest.raises(UserError, match="leads out of the folder"):
        opened(root)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"file": "red.png", "caption": "red"', "line 2 is no JSON"),
        ("[" * 100_000, "line 2 is no JSON"),
        ("[1]", "line 2 should name a file and its caption"),
        ('{"file": "red.png"}', "line 2 should name"),
        ('{"caption": "red"}', "line 2 should name"),
        ('{"file": 1, "caption": "red"}', "line 2 should name"),
        ('{"file": "red.png", "caption": ["red", 1]}', "line 2 should name"),
        ('{"file": "red.png", "caption": " ... "}', "line 2 should name"),
        ('{"file": "red.png", "caption": []}', "line 2 should name"),
    ],
)
def test_a_bad_line_is_told_by_its_number(images: Folder, line: str, words: str) -> None:
    root = lines(images("red.png"), {"file": "red.png", "caption": "red"}, line)
    with pytest.raises(UserError) as error:
        opened(root)
    assert words in error.value.message and "caption" in error.value.hint and len(error.value.message) < 400


def test_no_captions_at_all_is_an_error(images: Folder, tmp_path: Path) -> None:
    root = images("red.png")
    with pytest.raises(UserError, match=r"neither captions.jsonl nor a NAME.txt") as error:
        opened(root)
    assert error.value.code == USAGE and '"caption"' in error.value.hint
    with pytest.raises(UserError, match=r"captions.jsonl has none of its images"):
        opened(lines(root, {"file": "blue.png", "caption": "blue"}))
    (tmp_path / "images.zip").write_bytes(b"")
    with pytest.raises(UserError, match="no folder"):
        opened(tmp_path / "images.zip")


def test_captions_that_are_no_text(images: Folder) -> None:
    root = images("red.png")
    (root / "red.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"red.txt is no text in UTF-8"):
        opened(root)


# The data set.


@pytest.fixture(scope="module")
def sets() -> tuple[Meant, Meant]:
    train, held = (open_data(Recipe(data="captions"), train, of=Meant) for train in (True, False))
    return train, held


def test_data_set_keeps_the_contract() -> None:
    check_data("captions")


def test_another_size_is_refused() -> None:
    with pytest.raises(UserError, match="has size 32, and no other"):
        open_data(Recipe(data="captions", size=64), of=Captions)


def test_mirrored_captions_are_refused() -> None:
    with pytest.raises(UserError, match="left and right"):
        open_data(Recipe(data="captions", flip=True), of=Captions)


def test_plain_images_are_refused() -> None:
    with pytest.raises(UserError, match="holds images, not captions"):
        open_data(Recipe(data="digits"), of=Captions)


def test_fifty_meanings_are_held_out_and_every_pair_of_words_is_trained_on(sets: tuple[Meant, Meant]) -> None:
    train, held = sets
    out = [m for m in MEANINGS if held_out(*m)]
    assert len(MEANINGS) == 500 and len(out) == 50
    assert set(map(tuple, train.meanings.tolist())) == {m for m in MEANINGS if not held_out(*m)}
    assert set(map(tuple, held.meanings.tolist())) == set(MEANINGS)
    assert not train.unseen.any() and {tuple(m) for m in held.meanings[held.unseen].tolist()} == set(out)
    assert len(held) == 2_000 and int(held.unseen.sum()) == 200
    kept = set(MEANINGS) - set(out)
    for i in range(4):
        for j in range(i):
            assert {(m[i], m[j]) for m in kept} == {(m[i], m[j]) for m in MEANINGS}
    shares = [Counter(m[i] for m in out) for i in range(4)]
    assert [set(share.values()) for share in shares] == [{25}, {10}, {5}, {10}]


def test_captions_say_what_is_meant(sets: tuple[Meant, Meant]) -> None:
    """In words that no other size, colour, digit or place has."""
    train, held = sets
    assert train.spec == held.spec and train.spec.channels == 3 and train.spec.size == 32
    for data in sets:
        rows, _ = data.said(torch.arange(0, len(data), 37), torch.Generator().manual_seed(0))
        for row, (size, colour, digit, place) in zip(rows.tolist(), data.meanings[::37].tolist(), strict=True):
            said = set(spelled(data.texts[row]))
            assert len(said & set(list(SIZES.values())[size])) == 1
            assert not said & set(list(SIZES.values())[1 - size])
            assert said & set(COLOURS) == {list(COLOURS)[colour]} and said & set(DIGITS) == {DIGITS[digit]}
            corner = said & {"left", "right", "centre", "center", "middle"}
            assert len(corner) == 1 and corner <= {*list(PLACES)[place].split(), "center", "middle"}
            assert (place < 4) == bool(said & {"top", "upper", "bottom", "lower"})
    assert len(set(ways(0, 0, 0, 0))) == len(list(ways(0, 0, 0, 0))) == 54


def test_digits_held_out_are_in_no_training_image(sets: tuple[Meant, Meant], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image's digit, found again among all by its shape."""
    used: dict[bool, set[bytes]] = {}
    for train in (True, False):
        mine, inked = used.setdefault(train, set()), scenes.inked

        def seen(digit: Any, longer: int, mine: set[bytes] = mine, inked: Any = inked) -> Any:
            mine.add(digit.tobytes())
            return inked(digit, longer)

        monkeypatch.setattr(scenes, "inked", seen)
        scenes.drawn.__wrapped__(train)
        monkeypatch.setattr(scenes, "inked", inked)
    assert len(used[True]) == 4_500 and len(used[False]) == 500 and not used[True] & used[False]


def test_another_seed_trains_on_the_same(sets: tuple[Meant, Meant]) -> None:
    again = open_data(Recipe(data="captions", seed=5), of=Meant)
    assert again.fingerprint() == sets[0].fingerprint() != sets[1].fingerprint()


# What is read off images.


def floats(data: Meant) -> Tensor:
    return data.images.pixels.float() / 127.5 - 1


def test_real_held_out_images_are_read_right(sets: tuple[Meant, Meant]) -> None:
    _, held = sets
    right = (read(floats(held))[0] == held.meanings).double().mean(0)
    size, colour, digit, place = right.tolist()
    assert size >= 0.99 and colour >= 0.99 and place >= 0.99 and digit >= 0.97
    small = held.meanings[:, 0] == 0
    assert (read(floats(held))[0][small] == held.meanings[small]).double().mean(0)[2] >= 0.97


def test_nothing_is_read_off_nothing_and_no_colour_off_grey(sets: tuple[Meant, Meant]) -> None:
    _, held = sets
    assert (read(torch.full((2, 3, 32, 32), -1.0))[0] == -1).all()
    x = floats(held)[:50]
    grey = read(x.amax(1, keepdim=True).expand(-1, 3, -1, -1))[0]
    assert (grey[:, 1] == -1).all() and (grey[:, [0, 3]] == held.meanings[:50][:, [0, 3]]).all()


def test_a_speck_far_away_is_not_the_digit(sets: tuple[Meant, Meant]) -> None:
    _, held = sets
    large = (held.meanings[:, 0] == 1) & (held.meanings[:, 3] == 0)
    x = floats(held)[large]
    x[:, :, 31, 31] = 1.0
    seen = read(x)[0]
    assert (seen[:, [0, 3]] == held.meanings[large][:, [0, 3]]).double().mean() > 0.9


def test_digits_are_framed_as_the_judge_learnt_them() -> None:
    """An embedded digit, cut out and put back, is nearly itself: 20 pixels long, its mass in the middle."""
    real = open_data(Recipe(data="digits"))
    ink = real.pixels[::100, 0].double() / 255
    longer = torch.tensor([20.0] * len(ink), dtype=torch.float64)
    again = framed(ink, longer)
    assert (judged_digits(again)[1].argmax(1) == real.labels[::100]).double().mean() > 0.97
    assert (again[:, 0].double() / 2 + 0.5 - ink).abs().mean() < 0.03


def test_tab_offers_captions_that_are_understood() -> None:
    offered = scenes.begun("a large pur")
    assert len(offered) == len(DIGITS) * len(PLACES) and len(scenes.begun("")) == len(MEANINGS)
    words = vocabulary(scenes.begun(""))
    assert all(understood(text, words) and text.startswith("a large purple ") for text in offered)
