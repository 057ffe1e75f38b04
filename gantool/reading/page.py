"""An explanation as one HTML page: no scripts, nothing fetched."""

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gantool.reading.explaining import Equation, Explanation

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6675; --line: #d9dee7; --page: #fff; --code: #f5f7fa;
  --mark: #2f5d8c }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa5b4; --line: #343c48; --page: #14181e;
  --code: #1c222b; --mark: #8ab8e6 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1.2rem 4rem; max-width: 78rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .4rem } h2 { font-size: 1.1rem; margin: 0 0 .6rem }
h2 small { color: var(--soft); font-weight: normal }
header p { margin: .1rem 0; color: var(--soft); max-width: 60rem }
section { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 7fr); gap: 1.6rem; padding: 1.4rem 0;
  border-top: 1px solid var(--line); margin-top: 1.4rem }
@media (max-width: 56rem) { section { grid-template-columns: minmax(0, 1fr); gap: .6rem } }
.maths { font: 1.05rem/1.6 "Cambria Math", "STIX Two Math", Cambria, Georgia, serif; white-space: pre-wrap;
  color: var(--mark); margin: 0 0 .7rem }
sub { font-size: .72em; line-height: 0 }
.code { margin: 0 0 .9rem; padding: .7rem .8rem; background: var(--code); border-radius: 6px;
  font: 13px/1.5 ui-monospace, monospace }
.line { display: flex } .line code { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; min-width: 0 }
.n { color: var(--soft); user-select: none; padding-right: 1em; flex: 0 0 3.6em; text-align: right }
.place { font: 12px ui-monospace, monospace; color: var(--soft); margin: 0 0 .2rem }
dl { font-size: .88rem; margin: .8rem 0 0 } dt { font-family: ui-monospace, monospace } dd { margin: 0 0 .4rem 1rem;
  color: var(--soft) }
"""


SUBSCRIPT = re.compile("_({[^}]*}|[^\\W_]+\u0302?)")  # `E_x`, `E_{x,z}`, and below a hat


def page(found: "Explanation") -> str:
    facts = {"Paper": found.paper, "Differs from the paper": found.differs, "Source": found.package}
    about = "".join(f"<p>{name}: {escape(text)}</p>" for name, text in facts.items() if text)
    about += "".join(f"<p>{escape(text)}</p>" for text in found.about.split("\n\n") if text)
    body = "\n".join(section(equation) for equation in found.equations)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(found.name)}, explained</title><style>{STYLE}</style></head>\n"
        f"<body><header><h1>{escape(found.summary or found.name)}</h1>{about}</header>\n{body}\n</body></html>\n"
    )


def section(equation: "Equation") -> str:
    where = f" <small>{escape(equation.where)}</small>" if equation.where else ""
    formula = SUBSCRIPT.sub(lambda found: f"<sub>{found[1].strip('{}')}</sub>", escape(equation.maths))
    maths = f'<p class="maths">{formula}</p>' if formula else ""
    words = f"<p>{escape(equation.words)}</p>" if equation.words else ""
    options = "".join(
        f"<dt>{escape(knob.flag)}</dt><dd>{escape(knob.help)} Default {escape(knob.values)}.</dd>"
        for knob in equation.knobs
    )
    code = "".join(
        f'<p class="place">{escape(lines.place)}, {escape(lines.name)}</p><div class="code">'
        + "".join(
            f'<div class="line"><span class="n">{n}</span><code>{escape(text)}</code></div>'
            for n, text in lines.numbered()
        )
        + "</div>"
        for lines in equation.lines
    )
    options = options and f"<dl>{options}</dl>"
    return (
        f"<section><div><h2>{escape(equation.what)}{where}</h2>{maths}{words}{options}</div><div>{code}</div></section>"
    )
