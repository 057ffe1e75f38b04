"""S6: what is downloaded comes over https and is known to the byte; all else is refused and leaves nothing behind."""

import gzip
import hashlib
import os
import re
import resource
import shutil
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spawned import VARIANTS, until

from gantool.data import downloads, named
from gantool.data.downloads import Known
from gantool.errors import UserError

LABELS = b"\0\0\x08\1" + struct.pack(">I", 60) + bytes(i % 10 for i in range(60))
IMAGES = b"\0\0\x08\3" + struct.pack(">III", 60, 28, 28) + np.random.default_rng(0).bytes(60 * 28 * 28)
FILES = {"images-idx3": gzip.compress(IMAGES, mtime=0), "labels-idx1": gzip.compress(LABELS, mtime=0)}
PLACES = {f"MNIST/raw/train-{kind}-ubyte.gz": content for kind, content in FILES.items()}
Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def right(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def flipped(request: BaseHTTPRequestHandler, content: bytes) -> None:
    at = len(content) // 2
    right(request, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def cut(request: BaseHTTPRequestHandler, content: bytes) -> None:
    right(request, content[:-1])


def broken_off(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """It says how long it is, and the line goes dead before that."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content[: len(content) // 2])


def longer(request: BaseHTTPRequestHandler, content: bytes) -> None:
    right(request, content + b"\0")


def empty(request: BaseHTTPRequestHandler, content: bytes) -> None:
    right(request, b"")


def endless(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.end_headers()
    while True:  # until the other side has had enough
        request.wfile.write(content)


def to(url: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler, content: bytes) -> None:
        request.send_response(302)
        request.send_header("Location", url)
        request.end_headers()

    return answer


def not_found(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_error(404)


def round_and_round(request: BaseHTTPRequestHandler, content: bytes) -> None:
    to(request.path)(request, content)


def rubbish(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.wfile.write(b"\xff\0 this is not http \r\n\r\n" * 10)


def silent(request: BaseHTTPRequestHandler, content: bytes) -> None:
    """It answers, and then no more comes."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content[:10])
    request.wfile.flush()
    request.server.over.wait(10)  # type: ignore[attr-defined]


def mute(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.server.over.wait(10)  # type: ignore[attr-defined]


def slow(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    for i in range(0, len(content), 2000):
        request.wfile.write(content[i : i + 2000])
        request.wfile.flush()
        time.sleep(0.05)


class Server(ThreadingHTTPServer):
    """Serves FILES over https, by name, in the way that `answer` says."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("localhost", 0), Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.answer: Answer = right
        self.asked: list[str] = []
        self.over = threading.Event()
        self.url = f"https://localhost:{self.server_port}"
        self.known = {
            place: (f"{self.url}/{Path(place).name}", len(content), hashlib.sha256(content).hexdigest())
            for place, content in PLACES.items()
        }

    def handle_error(self, request: Any, client_address: Any) -> None: ...  # the other side may hang up


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        content = next(content for place, content in PLACES.items() if place.endswith(self.path))
        self.server.answer(self, content)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost, in one file, thrown away afterwards."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes this test's certificate")
    key, made = (tmp_path_factory.mktemp("tls") / name for name in ("key", "certificate"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", made, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    made.write_bytes(made.read_bytes() + key.read_bytes())
    return made


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The one server that gantool knows, and its certificate the only one that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server(context) as server:
        monkeypatch.setattr(downloads, "KNOWN", {place: Known(*known) for place, known in server.known.items()})
        monkeypatch.setattr(downloads, "SILENCE", 0.3)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    """The files in a folder; the lock aside, which has nothing in it."""
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file() and f.name != ".gantool.lock")


UNPACKED = sorted([*PLACES, *(place.removesuffix(".gz") for place in PLACES)])

# The table.


@pytest.mark.promise("S6")
def test_every_file_in_the_table_is_https_with_size_and_digest(tried: Any) -> None:
    assert len(downloads.KNOWN) == 16
    for place, known in downloads.KNOWN.items():
        assert re.fullmatch(r"https://[^/?#@]+/\S+", known.url) and known.url.endswith("/" + Path(place).name)
        assert re.fullmatch("[0-9a-f]{64}", known.sha256) and known.size > 4_000
    assert len({known.sha256 for known in downloads.KNOWN.values()}) == 16
    tried("known files", 16)


@pytest.mark.promise("S6")
def test_every_named_set_comes_from_the_table(tried: Any) -> None:
    used = set()
    for name in named.CATALOG.keys() - {"digits"}:
        for train in (True, False):
            used |= {downloads.archive_of(place) for place in named.places(name, train)}
    assert used == downloads.KNOWN.keys()


# What servers do.


@pytest.mark.promise("S6")
def test_the_right_files_are_kept_and_not_asked_for_again(server: Server, tmp_path: Path, tried: Any) -> None:
    for _ in range(2):
        pixels, labels = named.load("mnist", tmp_path)
        assert pixels.numpy().tobytes() == IMAGES[16:] and bytes(labels.tolist()) == LABELS[8:]
        assert sorted(server.asked) == sorted(f"/{Path(place).name}" for place in PLACES)
        assert left(tmp_path) == UNPACKED
    tried("right files", 2)


ANSWERS: dict[str, tuple[Answer, str]] = {
    "one flipped bit": (flipped, r"other bytes came than it is known to have \(sha256\)"),
    "cut short": (cut, r"only 4[0-9],\d{3} of its 4[0-9],\d{3} bytes came"),
    "broken off": (broken_off, r"bytes came|IncompleteRead|EOF"),
    "one byte more": (longer, r"more came than its 4[0-9],\d{3} bytes"),
    "nothing": (empty, r"only 0 of its"),
    "endless": (endless, r"more came than its"),
    "redirect to http": (to("http://localhost:9/x"), r"it leads away from https"),
    "redirect to a file": (to("file:///etc/hostname"), r"not allowed|https"),
    "redirect to ftp": (to("ftp://localhost/x"), r"it leads away from https"),
    "redirects for ever": (round_and_round, r"infinite loop"),
    "404": (not_found, r"HTTP Error 404: Not Found"),
    "no http": (rubbish, r"\S"),
    "silence in the middle": (silent, r"nothing came for 0 seconds"),
    "silence from the start": (mute, r"nothing came for 0 seconds"),
}


@pytest.mark.promise("S6")
@pytest.mark.parametrize(("answer", "says"), ANSWERS.values(), ids=ANSWERS)
def test_what_is_not_the_known_file_is_refused_and_removed(
    answer: Answer, says: str, server: Server, tmp_path: Path, tried: Any
) -> None:
    server.answer, began = answer, time.monotonic()
    with pytest.raises(UserError, match=r"mnist is not in .* and could not be downloaded: ") as caught:
        named.load("mnist", tmp_path)
    assert re.search(rf"train-images-idx3-ubyte.gz from localhost: .*({says})", caught.value.message)
    assert "--data digits" in caught.value.hint and "\n" not in caught.value.message
    assert left(tmp_path) == [] and time.monotonic() - began < 5
    server.answer = right
    assert len(named.load("mnist", tmp_path)[0]) == 60
    tried("bad answers")


@pytest.mark.promise("S6")
@pytest.mark.parametrize("url", ["http://localhost:9/x", "ftp://localhost:9/x", "file:///etc/hostname", "x"])
def test_an_address_that_is_not_https_is_not_even_asked(
    url: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: Any
) -> None:
    wrong = {place: known._replace(url=url) for place, known in downloads.KNOWN.items()}
    monkeypatch.setattr(downloads, "KNOWN", wrong)
    with pytest.raises(UserError, match="it is not https"):
        named.load("mnist", tmp_path)
    assert left(tmp_path) == []
    tried("addresses not https")


@pytest.mark.promise("S6")
def test_a_server_that_cannot_prove_its_name_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: Any
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(UserError, match="certificate verify failed"):
        named.load("mnist", tmp_path)
    assert left(tmp_path) == [] and server.asked == []
    tried("untrusted certificates")


@pytest.mark.promise("S6")
@pytest.mark.parametrize("bad", ["flipped", "cut", "empty"])
def test_a_packed_file_that_is_not_the_known_one_is_replaced(
    bad: str, server: Server, tmp_path: Path, tried: Any
) -> None:
    named.load("mnist", tmp_path)
    place = next(iter(PLACES))
    content = {"flipped": bytes([255]) + PLACES[place][1:], "cut": PLACES[place][:-9], "empty": b""}[bad]
    (tmp_path / place).write_bytes(content)
    (tmp_path / place).with_suffix("").unlink()
    assert named.load("mnist", tmp_path)[0].numpy().tobytes() == IMAGES[16:]
    assert (tmp_path / place).read_bytes() == PLACES[place] and len(server.asked) == 3
    tried("tampered files on disk")


@pytest.mark.promise("S6")
def test_packed_files_that_are_right_need_no_server(server: Server, tmp_path: Path, tried: Any) -> None:
    for place, content in PLACES.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(content)
    assert len(named.load("mnist", tmp_path)[0]) == 60 and server.asked == []


# Archives: only what is wanted of them.


@pytest.mark.promise("S6")
@pytest.mark.parametrize("name", ["emnist", "cifar10"])
def test_archives_give_the_wanted_files_and_nothing_else(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: Any
) -> None:
    import io
    import tarfile
    import zipfile

    buffer, folder = io.BytesIO(), tmp_path / "in" / "sets"
    evil = {"../outside": b"x", "/tmp/absolute": b"x", "other": b"x" * 100}
    if name == "emnist":
        wanted = {f"gzip/{Path(p).name}.gz": p for p in named.places("emnist", True)}
        contents = dict(zip(wanted, (FILES["images-idx3"], FILES["labels-idx1"]), strict=True))
        with zipfile.ZipFile(buffer, "w") as archive:
            for member, content in (evil | contents).items():
                archive.writestr(member, content)
    else:
        wanted = {p: p for p in named.places("cifar10", True)}
        contents = {p: bytes(3073) for p in wanted}
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for member, content in (evil | contents).items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    place, content = downloads.archive_of(next(iter(wanted.values()))), buffer.getvalue()
    (folder / place).parent.mkdir(parents=True)
    (folder / place).write_bytes(content)
    known = Known("https://localhost:9/", len(content), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(downloads, "KNOWN", {place: known})
    assert len(named.load(name, folder)[0]) == (60 if name == "emnist" else 5)
    assert left(tmp_path) == sorted(f"in/sets/{p}" for p in [place, *wanted.values()])
    assert not Path("/tmp/absolute").exists()
    tried("archives")


# What happens to processes.


def point(known: dict[str, tuple[str, int, str]]) -> None:
    """A hook: the files known are those of the test's server."""
    downloads.KNOWN = {place: Known(*facts) for place, facts in known.items()}


def point_and_fill(known: dict[str, tuple[str, int, str]], room: int) -> None:
    """A hook: and no file can grow beyond this many bytes, as on a disk that is full."""
    point(known)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))


@pytest.fixture
def train(server: Server, start: Any, tmp_path: Path) -> Callable[..., Any]:
    def train(*hook: Any) -> Any:
        line = [*VARIANTS["gan"], "--data", "mnist", "--data-dir", tmp_path / "sets", "--steps", 1, "-q"]
        return start("train", *line, hook=hook or (point, server.known))

    return train


@pytest.mark.promise("S6")
@pytest.mark.parametrize("room", [1000, 45_000])
def test_on_a_full_disk_nothing_is_left(
    room: int, train: Callable[..., Any], server: Server, tmp_path: Path, tried: Any
) -> None:
    done = train(point_and_fill, server.known, room)
    assert done.wait() == 1 and "could not be downloaded" in done.err and "Traceback" not in done.err
    assert len(done.err.splitlines()) <= 3 and left(tmp_path / "sets") == []
    assert len(named.load("mnist", tmp_path / "sets")[0]) == 60 and left(tmp_path / "sets") == UNPACKED
    tried("full disks")


@pytest.mark.promise("S6")
def test_a_download_killed_at_any_time_is_whole_the_next_time(
    train: Callable[..., Any], server: Server, tmp_path: Path, tried: Any, times: Any
) -> None:
    sets, kills = tmp_path / "sets", times(6, 40)
    for i in range(kills):
        shutil.rmtree(sets, ignore_errors=True)
        server.asked.clear()
        server.answer = slow
        victim = train()
        until(lambda: server.asked)
        time.sleep(1.4 * i / kills)
        victim.kill()
        victim.process.join()
        for file in left(sets):
            assert file.endswith(".tmp") or file in UNPACKED
            if file in PLACES:
                assert (sets / file).read_bytes() == PLACES[file]
        server.answer = right
        assert named.load("mnist", sets)[0].numpy().tobytes() == IMAGES[16:]
        assert left(sets) == UNPACKED and (sets / UNPACKED[0]).read_bytes() == IMAGES
        tried("kills while downloading")


@pytest.mark.promise("S6")
def test_ctrl_c_ends_a_download_and_leaves_nothing(
    train: Callable[..., Any], server: Server, tmp_path: Path, tried: Any
) -> None:
    import signal

    server.answer = slow
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        server.asked.clear()
        command = train()
        until(lambda: left(tmp_path / "sets"))
        command.kill(number)
        assert command.wait() == code and left(tmp_path / "sets") == [], command.err
        tried("interrupted downloads")


@pytest.mark.promise("S6")
def test_two_processes_at_once_download_once(
    train: Callable[..., Any], server: Server, tmp_path: Path, tried: Any
) -> None:
    server.answer = slow
    both = [train(), train()]
    assert [command.wait() for command in both] == [0, 0]
    assert len(server.asked) == 2, "one waited, and found what the other had brought"
    assert left(tmp_path / "sets") == UNPACKED
    tried("processes at once", 2)


@pytest.mark.promise("S6")
def test_in_a_pipe_there_is_no_progress_bar(
    train: Callable[..., Any], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: Any
) -> None:
    done = train()
    assert done.wait() == 0 and done.err == "" and os.path.isdir(tmp_path / "sets")
