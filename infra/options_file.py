"""`flow-hitl.toml`: the options of one stack, kept so that each deployment and each command means the same stack.

Flat TOML: the names of `infra.options.Options`, and `region`. Lists are the options that are written with commas.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from infra.options import OPTION_NAMES

FILE = "flow-hitl.toml"
FILE_VARIABLE = "FLOW_HITL_FILE"
"""The environment variable that names another file."""
REGION = "region"


def options_file() -> Path:
    """Return where the file is: in this directory, unless the environment names another."""
    return Path(os.environ.get(FILE_VARIABLE) or FILE)


def read_options(path: Path) -> dict[str, str]:
    """Return the options as text, as CDK's context has them; nothing if there is no file.

    Raises ValueError that says what to correct.
    """
    known = (REGION, *OPTION_NAMES)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    for name in document:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f" Is it {near[0]}?" if near else f" Known are {', '.join(sorted(known))}."
            raise ValueError(f"{path} has an unknown option {name}.{meant}")
    return {name: _text(path, name, value) for name, value in document.items()}


def write_options(path: Path, options: Mapping[str, str]) -> None:
    """Write a new file; raises FileExistsError."""
    lines = [f"{name} = {_quoted(value)}" for name, value in options.items()]
    with path.open("x", encoding="utf-8") as file:
        file.write("# The options of one stack: docs/decisions/0002-two-stacks.md lists them all.\n")
        file.write("\n".join(lines) + "\n")


def _text(path: Path, name: str, value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int():
            return str(value)
        case list() if all(isinstance(one, str) for one in value):
            return ",".join(value)
        case _:
            raise ValueError(f"{path}: {name} must be a text, a whole number, true or false, or a list of texts")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
