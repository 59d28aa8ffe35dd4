"""`flow-hitl.toml`: the options of one stack, kept so that each deployment and each command means the same stack.

The names of `infra.options.Options`, and what only commands read: `region` and `creator`. Lists are the options that
are written with commas. A section `[profiles.staging]` is another stack: what it has of its own, beside what stands
above all sections.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from infra.options import OPTION_NAMES

FILE = "flow-hitl.toml"
FILE_VARIABLE = "FLOW_HITL_FILE"
"""The environment variable that names another file."""
REGION = "region"
CREATOR = "creator"
"""Who gets the requests of the first deployment that nobody else is for."""
_OF_COMMANDS = (REGION, CREATOR)
PROFILES = "profiles"
PROFILE_VARIABLE = "FLOW_HITL_PROFILE"
"""The environment variable that chooses a profile."""
PROFILE_FILE = ".flow-hitl-profile"
"""What `flow-hitl use` writes, beside the options: the profile of this folder."""
LOCAL = "local"
"""The profile that every project has: the local stack."""
DEFAULT = "default"
"""The profile that is no section."""


def options_file() -> Path:
    """Return where the file is: in this directory, unless the environment names another."""
    return Path(os.environ.get(FILE_VARIABLE) or FILE)


def chosen_profile() -> str:
    """Return the profile that the environment or `flow-hitl use` chose."""
    found = os.environ.get(PROFILE_VARIABLE, "").strip()
    with suppress(FileNotFoundError):
        found = found or profile_file().read_text("utf-8").strip()
    return found or DEFAULT


def profile_file() -> Path:
    """Return where `flow-hitl use` keeps its choice."""
    return options_file().with_name(PROFILE_FILE)


def profiles(path: Path) -> Sequence[str]:
    """Return all profiles that can be chosen; raises ValueError."""
    return [DEFAULT, LOCAL, *_sections(path, _document(path))]


def read_options(path: Path, profile: str = DEFAULT) -> dict[str, str]:
    """Return a profile's options as text, as CDK's context has them; nothing if there is no file.

    Raises ValueError that says what to correct.
    """
    document = _document(path)
    sections = _sections(path, document)
    every = {name: value for name, value in document.items() if name != PROFILES}
    for one in (every, *sections.values()):
        _require_known(path, one)
    if profile == LOCAL:
        return {}
    if profile != DEFAULT and profile not in sections:
        near = difflib.get_close_matches(profile, sections, 1)
        meant = f"Is it {near[0]}?" if near else f"There are {', '.join((DEFAULT, LOCAL, *sections))}."
        raise ValueError(f"{path} has no profile {profile}. {meant}")
    return {name: _text(path, name, value) for name, value in (every | dict(sections.get(profile, {}))).items()}


def _document(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _sections(path: Path, document: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    found = document.get(PROFILES, {})
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise ValueError(f"{path}: profiles are sections, such as [profiles.staging]")
    for name in (DEFAULT, LOCAL):
        if name in found:
            raise ValueError(f"{path}: no section can be named {name}, which is always there")
    return found


def _require_known(path: Path, options: Mapping[str, object]) -> None:
    known = (*_OF_COMMANDS, *OPTION_NAMES)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f" Is it {near[0]}?" if near else f" Known are {', '.join(sorted(known))}."
            raise ValueError(f"{path} has an unknown option {name}.{meant}")


def stack_options(path: Path, profile: str = DEFAULT) -> dict[str, str]:
    """Return a profile's options without those that only commands read; raises ValueError as `read_options` does."""
    return {name: value for name, value in read_options(path, profile).items() if name not in _OF_COMMANDS}


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
