"""The bill of materials of what runs in Lambda, in CycloneDX 1.6, by the packages in its layer and their lock."""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import Any

from infra.release.changelog import NotReady, Release

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_SPACE = uuid.UUID("6f5f3a7e-6c1c-4e0e-9a55-1d0f2a2f6f9b")


@dataclass(frozen=True, order=True)
class Component:
    """A package as its own metadata names it; `licence` is an SPDX expression or the words that it has, or ""."""

    name: str
    version: str
    licence: str

    @classmethod
    def parse(cls, metadata: str) -> "Component":
        """Read a METADATA file of a wheel."""
        headers = HeaderParser().parsestr(metadata)
        words = headers.get("License-Expression") or headers.get("License") or ""
        classified = [line.rpartition(" :: ")[2] for line in headers.get_all("Classifier", []) if "License" in line]
        # Some put the whole text there.
        licence = words if words and len(words.splitlines()) == 1 else " AND ".join(classified)
        return cls(_normal(headers["Name"]), headers["Version"], licence)

    def to_dict(self) -> dict[str, Any]:
        purl = f"pkg:pypi/{self.name}@{self.version}"
        found: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": self.name,
            "version": self.version,
            "purl": purl,
        }
        return found | ({"licenses": [{"license": {"name": self.licence}}]} if self.licence else {})


def bill(release: Release, components: Iterable[Component], lock: str) -> Mapping[str, Any]:
    """Return the document; raises NotReady where a package is not as it is locked."""
    locked = {_normal(name): version for name, version in _LOCKED.findall(lock)}
    found = sorted(set(components))
    wrong = [one.name for one in found if locked.get(one.name) != one.version]
    if wrong:
        raise NotReady(f"The layer holds what its lock does not: {', '.join(wrong)}. Delete .build, and run it again.")
    ours = f"pkg:pypi/flow-hitl@{release.version}"
    # In a time and a number of its own, two of the same would differ.
    serial = uuid.uuid5(_SPACE, ours + "".join(f"{one.name}{one.version}" for one in found))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": f"{release.day}T00:00:00Z",
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": "flow-hitl",
                "version": release.version,
                "purl": ours,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [one.to_dict() for one in found],
        "dependencies": [{"ref": ours, "dependsOn": [one.to_dict()["bom-ref"] for one in found]}],
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
