"""Syntax highlighting, for the languages that AI flows write."""

from collections.abc import Sequence
from typing import Any

from markupsafe import escape

# Lexers are regular expressions that run on text by strangers: docs/decisions/0012 found these languages fast enough in
# the worst case.
LANGUAGES = frozenset(
    {
        "bash",
        "css",
        "diff",
        "dockerfile",
        "go",
        "graphql",
        "html",
        "javascript",
        "js",
        "json",
        "jsx",
        "kotlin",
        "php",
        "powershell",
        "py",
        "python",
        "ruby",
        "rust",
        "sh",
        "shell",
        "sql",
        "swift",
        "toml",
        "ts",
        "tsx",
        "typescript",
        "xml",
        "yaml",
        "yml",
    }
)
LONGEST = 4_000

# The class for each of Pygments' token types; the first match counts. `pages/style.css` has the colors.
_MARKS: Sequence[tuple[str, str]] = (
    ("Comment", "c"),
    ("Keyword", "k"),
    ("Literal.String", "s"),
    ("Literal.Number", "m"),
    ("Generic.Inserted", "gi"),
    ("Generic.Deleted", "gd"),
    ("Name.Function", "n"),
    ("Name.Class", "n"),
    ("Name.Tag", "n"),
    ("Name.Attribute", "n"),
    ("Name.Builtin", "k"),
    ("Operator.Word", "k"),
)
CODE_CLASSES = frozenset(mark for _, mark in _MARKS)


def highlighted(code: str, language: str) -> str | None:
    """Return code as highlighted HTML, None for an unknown language or very long code."""
    name = language.strip().lower()
    if name not in LANGUAGES or len(code) > LONGEST:
        return None
    from pygments import lex
    from pygments.lexers import get_lexer_by_name

    return "".join(_span(kind, text) for kind, text in lex(code, get_lexer_by_name(name, stripnl=False)))


def _span(kind: Any, text: str) -> str:
    names = ".".join(kind)
    mark = next((mark for name, mark in _MARKS if names == name or names.startswith(name + ".")), None)
    return f'<span class="{mark}">{escape(text)}</span>' if mark else str(escape(text))
