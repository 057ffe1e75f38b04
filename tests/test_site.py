"""The docs as a site: it builds, its links lead somewhere, its reference is whole; and code on pages is code."""

import ast
import dataclasses
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_docs import PAGES, ROOT

import gantool
import gantool.api

RUN = ("python.md", "plugins.md")  # pages whose Python other tests run
READ: dict[str, Callable[[str], Any]] = {
    "python": ast.parse, "yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads,
}  # fmt: skip
BLOCKS = [
    pytest.param(found[1], found[2], id=f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}")
    for page in PAGES
    for text in [page.read_text(encoding="utf-8")]
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if found[1] in READ and not (found[1] == "python" and page.name in RUN)
]
APART = ("404.html", "play.html")  # in no navigation, and without one: the second is an exported model


class Page(HTMLParser):
    """What a page links to, what it is made of, where a link may lead, and its words; in `names` its headings."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links, self.assets, self.anchors = list[str](), list[str](), {""}
        self.words, self.names, self.heading = "", list[str](), False
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.anchors |= {has[name] for name in ("id", "name") if name in has}
        self.heading |= tag == "h2"
        if tag == "code" and self.heading:
            self.names.append("")
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        elif tag in ("link", "script", "img", "iframe"):
            self.assets += [has[name] for name in ("href", "src") if name in has]

    def handle_endtag(self, tag: str) -> None:
        self.heading &= tag != "h2"

    def handle_data(self, data: str) -> None:
        self.words += data
        if self.heading and self.names:
            self.names[-1] += data.strip("\n¶")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """Its pages; those that were built are whole, for a warning ends the building."""
    out = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, ROOT / "tools" / "build_site.py", out]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("warning|error", done.stdout + done.stderr, re.IGNORECASE)
    return {file: Page(file) for file in out.glob("**/*.html")}


def test_every_link_of_the_site_leads_somewhere_and_every_page_is_in_its_navigation(site: dict[Path, Page]) -> None:
    for file, page in site.items():
        for link in page.links:
            path, _, anchor = link.partition("#")
            if not re.match(r"https?:|/", link):
                to = (file.parent / path).resolve() if path else file
                if to.suffix != ".html":  # a film
                    assert to.exists(), f"{file.name}: {link}"
                    continue
                assert anchor in site[to].anchors, f"{file.name}: {link}"
        linked = {(file.parent / link).resolve() for link in page.links}
        assert file.name in APART or {other for other in site if other.name not in APART} <= linked | {file}


def test_the_site_fetches_nothing_from_elsewhere(site: dict[Path, Page]) -> None:
    for file, page in site.items():
        for asset in (asset for asset in page.assets if asset != "data:,"):  # an icon that is none
            assert not re.match(r"\w+:|//", asset), f"{file.name}: {asset}"
            assert asset.startswith("/") or (file.parent / asset.partition("?")[0]).is_file(), f"{file.name}: {asset}"
    styles = [style for file in site for style in file.parent.glob("**/*.css")]
    assert styles and not any(re.search(r"(url\(|@import)\W*(https?:)?//", style.read_text()) for style in styles)


@pytest.mark.parametrize("module", [gantool, gantool.api], ids=lambda module: module.__name__)
def test_the_reference_has_each_public_name_and_what_is_said_of_it(module: Any, site: dict[Path, Page]) -> None:
    page = next(page for file, page in site.items() if file.stem == f"reference-{module.__name__.split('.')[-1]}")
    assert page.names == module.__all__
    said = " ".join(page.words.split())
    for public in (getattr(module, name) for name in module.__all__):
        if not (inspect.isclass(public) or inspect.isfunction(public)) or not public.__module__.startswith("gantool"):
            continue  # a number, a type's short name
        assert " ".join((public.__doc__ or "").replace("`", "").split()) in said, public
        for name in (name for name, member in vars(public).items() if inspect.isfunction(member) and name[0] != "_"):
            assert f" {name}(" in said, (public, name)
        for field in dataclasses.fields(public) if dataclasses.is_dataclass(public) else ():
            for option in getattr(field.type, "__metadata__", ()):
                assert f"{field.name}: " in said and option.help.replace("`", "") in said, (public, field.name)


def test_the_reference_shows_what_a_variant_may_replace_and_call(site: dict[Path, Page]) -> None:
    words = next(page.words for file, page in site.items() if file.stem == "reference-api")
    *_, replace, call = re.split(r"^What a variant may (?:replace|call)", words, flags=re.MULTILINE)
    assert "d_loss(batch: Batch) -> Loss" in replace and "labels_for(" not in replace
    assert "labels_for(n: int, options: Any) -> Tensor" in call


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_a_block_of_code_on_a_page_can_be_read(language: str, code: str) -> None:
    READ[language](code)


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cited["cff-version"] == "1.2.0" and cited["message"] and cited["authors"]
    assert cited["version"] == gantool.__version__
    assert cited["title"] == declared["name"]
    assert [cited[name] for name in ("license", "keywords")] == [declared[name] for name in ("license", "keywords")]
