"""Build the wheel `flow-hitl`: the service, the `hitl` fixture and the operator's command, each under a name of ours.

In the repository they are `functions` and `infra`, names that many projects have and that must not be taken from them.
"""

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

LAYER = "layers/flow_hitl/python"
FOLDERS = {
    "flow_hitl_functions": "functions",
    "flow_hitl_functions.templates": "templates",
    "flow_hitl_functions.docs": "docs",
    "flow_hitl_testing": "infra/local/hitl_fixture",
    "flow_hitl_tools": "infra",
    "flow_hitl_tools.cli": "infra/cli",
    "flow_hitl_tools.local": "infra/local",
}
# Deploying and the local stack need the repository, and stay there.
PARTS = {
    "flow_hitl_tools": {
        "__init__",
        "cost",
        "names",
        "options",
        "options_file",
        "outputs",
        "prices",
        "routes",
        "tables",
        "topology",
    },
    "flow_hitl_tools.local": {"__init__", "emulator", "failure", "patience", "state"},
}
RENAMED = {
    "functions": "flow_hitl_functions",
    "infra": "flow_hitl_tools",
    "infra.local.hitl_fixture": "flow_hitl_testing",
}
_NAMES = "|".join(re.escape(name) for name in sorted(RENAMED, reverse=True))
IMPORT = re.compile(rf"^(\s*(?:from|import) )({_NAMES})\b", re.MULTILINE)


class BuildUnderOurNames(build_py):
    """Copies the modules, with the names that they have in the wheel."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        return [module for module in found if package not in PARTS or module[1] in PARTS[package]]

    def build_module(self, module: str, module_file: str, package: str) -> tuple[str, bool]:
        made: tuple[str, bool] = super().build_module(module, module_file, package)
        path = Path(made[0])
        path.write_text(IMPORT.sub(lambda found: found[1] + RENAMED[found[2]], path.read_text("utf-8")), "utf-8")
        return made


setup(
    packages=[*find_namespace_packages(LAYER), *FOLDERS],
    package_dir={"": LAYER, **FOLDERS},
    package_data={
        "": ["py.typed"],
        "flow_hitl_functions.templates": ["**/*"],
        "flow_hitl_functions.docs": ["**/*"],
    },
    cmdclass={"build_py": BuildUnderOurNames},
)
