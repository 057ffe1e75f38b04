"""Build the site: the pages of docs/, README.md and others of the root, and a reference; in site/, or the folder named.

On GitHub links lead anywhere in the repository. Here those to pages lead to these, and others become plain words.
"""

import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import reference

ROOT = Path(__file__).resolve().parents[1]
PAGES = {file: file.relative_to(ROOT / "docs").as_posix() for file in ROOT.glob("docs/**/*") if file.is_file()}
PAGES |= {ROOT / "README.md": "index.md"}
PAGES |= {file: f"experiments/{file.name}" for file in ROOT.glob("experiments/*.md")}
PAGES |= {ROOT / name: name.lower() for name in ("CHANGELOG.md", "CONTRIBUTING.md")}
CODE = re.compile(r"(^```.*?^```$|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def rewritten(page: Path) -> str:
    """Its text, with links as they are in the site."""
    folder = posixpath.dirname(PAGES[page]) or "."

    def link(found: re.Match[str]) -> str:
        image, words, target = found.groups()
        if re.match(r"https?:|mailto:|#", target):
            return found[0]
        path = target.partition("#")[0]
        file = (page.parent / path).resolve()
        is_page = file in PAGES and file.suffix == ".md" and file.parent != ROOT
        if words == path and is_page:  # here it is known by its heading
            words = re.findall("^# (.*)", file.read_text(encoding="utf-8"))[0]
        if file not in PAGES:
            return words
        return f"{image}[{words}]({posixpath.relpath(PAGES[file], folder)}{target.removeprefix(path)})"

    parts = CODE.split(page.read_text(encoding="utf-8"))
    return "".join(part if i % 2 else LINK.sub(link, part) for i, part in enumerate(parts))


def main() -> None:
    out = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "site"
    with TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        for file, name in PAGES.items():
            to = docs / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".md":
                to.write_text(rewritten(file), encoding="utf-8")
            else:
                shutil.copy(file, to)
        for module in ("gantool", "gantool.api"):
            name = f"reference-{module.rpartition('.')[2]}.md"
            (docs / name).write_text(reference.page(module), encoding="utf-8")
        shutil.copy(ROOT / "mkdocs.yml", folder)
        command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", f"{folder}/mkdocs.yml"]
        if code := subprocess.run(command).returncode:
            raise SystemExit(code)
        if not sys.argv[1:]:
            shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(Path(folder) / "site", out)


if __name__ == "__main__":
    main()
