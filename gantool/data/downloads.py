"""Fetches files that are known to the byte: over https, checked while they come, there whole or not at all."""

import gzip
import hashlib
import shutil
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPMessage
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from gantool import __version__
from gantool.errors import UserError
from gantool.runtime import files, progress

SILENCE = 30.0  # seconds a server may say nothing
CHUNK = 2**16


class Known(NamedTuple):
    """A file on a server, and what it must be."""

    url: str
    size: int
    sha256: str


MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist"
FASHION = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
KMNIST = "https://codh.rois.ac.jp/kmnist/dataset/kmnist"
SVHN = "https://ufldl.stanford.edu/housenumbers"

# By their places under --data-dir, which are torchvision's.
KNOWN = {
    place: Known(f"{at}/{place.rpartition('/')[2]}", size, sha256)
    for place, at, size, sha256 in (
        ("MNIST/raw/train-images-idx3-ubyte.gz", MNIST, 9_912_422,
         "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("MNIST/raw/train-labels-idx1-ubyte.gz", MNIST, 28_881,
         "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("MNIST/raw/t10k-images-idx3-ubyte.gz", MNIST, 1_648_877,
         "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("MNIST/raw/t10k-labels-idx1-ubyte.gz", MNIST, 4_542,
         "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ("FashionMNIST/raw/train-images-idx3-ubyte.gz", FASHION, 26_421_880,
         "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        ("FashionMNIST/raw/train-labels-idx1-ubyte.gz", FASHION, 29_515,
         "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        ("FashionMNIST/raw/t10k-images-idx3-ubyte.gz", FASHION, 4_422_102,
         "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        ("FashionMNIST/raw/t10k-labels-idx1-ubyte.gz", FASHION, 5_148,
         "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ("KMNIST/raw/train-images-idx3-ubyte.gz", KMNIST, 18_165_135,
         "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        ("KMNIST/raw/train-labels-idx1-ubyte.gz", KMNIST, 29_497,
         "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        ("KMNIST/raw/t10k-images-idx3-ubyte.gz", KMNIST, 3_041_136,
         "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        ("KMNIST/raw/t10k-labels-idx1-ubyte.gz", KMNIST, 5_120,
         "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ("EMNIST/raw/gzip.zip", "https://biometrics.nist.gov/cs_links/EMNIST", 561_753_746,
         "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"),
        ("cifar-10-binary.tar.gz", "https://www.cs.toronto.edu/~kriz", 170_052_171,
         "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        ("train_32x32.mat", SVHN, 182_040_794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
        ("test_32x32.mat", SVHN, 64_275_384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
    )
}  # fmt: skip


def archive_of(place: str) -> str:
    """Where the download that holds this file is kept."""
    shared = {"EMNIST/raw": "EMNIST/raw/gzip.zip", "cifar-10-batches-bin": "cifar-10-binary.tar.gz"}
    usual = place if place in KNOWN else f"{place}.gz"
    return shared.get(str(PurePosixPath(place).parent), usual)


def obtain(folder: Path, places: Sequence[str]) -> list[Path]:
    """These files under a folder. What is there is taken as it is; the rest is downloaded and unpacked."""
    absent = [place for place in places if not (folder / place).is_file()]
    if absent:
        with alone(folder):
            for archive in dict.fromkeys(map(archive_of, absent)):
                fetch(KNOWN[archive], folder / archive)
                for place in absent:
                    if archive_of(place) == archive != place and not (folder / place).is_file():
                        unpack(folder / archive, folder / place)
    return [folder / place for place in places]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time downloads into a folder; the next finds what this one brought."""
    folder.mkdir(parents=True, exist_ok=True)
    while (held := files.lock(folder / ".gantool.lock")) is None:
        time.sleep(0.1)
    with held:
        yield


def room(path: Path) -> Path:
    """Its folder, made, and cleared of what a killed process left there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.sweep(path.parent)
    return path


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise URLError("it leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(known: Known, path: Path) -> None:
    """Have this very file at `path`: as it lies there if it is right, else from its server."""
    if path.is_file() and path.stat().st_size == known.size and digest(path) == known.sha256:
        return
    where = urlsplit(known.url)
    try:
        if where.scheme != "https":
            raise URLError("it is not https")
        request = urllib.request.Request(known.url, headers={"User-Agent": f"gantool/{__version__}"})
        server = urllib.request.build_opener(HttpsOnly)
        with server.open(request, timeout=SILENCE) as answer, files.whole(room(path)) as file:
            copy(answer, file, known, path.name)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
        why = error.reason if type(error) is URLError else error
        if isinstance(why, TimeoutError):
            why = f"nothing came for {SILENCE:.0f} seconds"
        raise UserError(f"{path.name} from {where.hostname}: {' '.join(str(why).split())[:120]}") from error


def copy(answer: IO[bytes], file: IO[bytes], known: Known, name: str) -> None:
    """Write what comes, and stop as soon as it cannot be right."""
    found, done = hashlib.sha256(), 0
    with progress.current().working(name, known.size, "bytes") as tell:
        while chunk := answer.read(CHUNK):
            done += len(chunk)
            if done > known.size:
                raise URLError(f"more came than its {known.size:,} bytes")
            file.write(chunk)
            found.update(chunk)
            tell(done)
    if done < known.size:
        raise URLError(f"only {done:,} of its {known.size:,} bytes came")
    if found.hexdigest() != known.sha256:
        raise URLError("other bytes came than it is known to have (sha256)")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(archive: Path, path: Path) -> None:
    """One file out of an archive whose digest is right."""
    with ExitStack() as stack, files.whole(room(path)) as file:
        member: IO[bytes] | gzip.GzipFile | None
        if archive.suffix == ".zip":
            packed = stack.enter_context(zipfile.ZipFile(archive)).open(f"gzip/{path.name}.gz")
            member = stack.enter_context(gzip.open(packed))
        elif archive.name.endswith(".tar.gz"):
            member = stack.enter_context(tarfile.open(archive)).extractfile(f"{path.parent.name}/{path.name}")
        else:
            member = stack.enter_context(gzip.open(archive))
        if member is None:
            raise OSError(f"{archive} does not hold {path.name}")
        shutil.copyfileobj(member, file, CHUNK)
