"""Whether CloudFormation takes a template: cfn-lint knows its schemas, region by region."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

REGIONS = ("us-east-1", "eu-west-1")
ACCEPTED = {
    "W3005": "CDK has each function wait for its role, which the reference to it does already; it does no harm.",
}
"""The rules that templates may break, and why."""


def findings(templates: Sequence[Path]) -> Mapping[str, Sequence[str]]:
    """Return what cfn-lint finds in files by their names without an end: each as its rule and its message.

    One run for all, as it starts slowly. Raises CalledProcessError.
    """
    command = Path(sys.executable).with_name("cfn-lint")
    options = ["--format", "json", "--non-zero-exit-code", "none", "--regions", *REGIONS]
    ran = subprocess.run([command, *options, "--", *map(str, templates)], capture_output=True, text=True, check=True)
    found: dict[str, set[str]] = {path.stem: set() for path in templates}
    for one in json.loads(ran.stdout or "[]"):
        found[Path(one["Filename"]).stem].add(f"{one['Rule']['Id']} {one['Message']}")
    return {name: sorted(those) for name, those in found.items()}


def unaccepted(found: Sequence[str]) -> Sequence[str]:
    """Return the findings for which there is no reason to leave them."""
    return [one for one in found if one.partition(" ")[0] not in ACCEPTED]
