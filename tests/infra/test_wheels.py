"""The wheels work on their own: in an environment that has nothing of this repository, and in any folder."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.local.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
USES_THE_FIXTURE = """
from flow_hitl_testing import Hitl


def test_nothing():
    pass


def test_a_reply_by_mail(hitl: Hitl):
    request = hitl.ask("Publish?", emit=["approved", "rejected"], output="# Draft")
    page = hitl.page("GET", hitl.review_url())
    assert page.status == 200
    assert "Draft" in page.text
    assert hitl.api("GET", "/v1/openapi.json").json["openapi"]
    hitl.reply("rejected\\nwrong price")
    assert request.response["comment"] == "wrong price"


def test_the_projects_own_packages_are_its_own():
    import functions
    import infra

    assert functions.OWN
    assert infra.OWN
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with both wheels, and with what they need from the one that runs the tests."""
    made = tmp_path_factory.mktemp("wheels")
    # A copy, as the build leaves files where it runs.
    for name in run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).splitlines():
        if not name.startswith(("tests/", ".")) and (ROOT / name).is_file():
            (made / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (made / "source" / name).write_bytes((ROOT / name).read_bytes())
    for source in (made / "source", made / "source/client"):
        run([UV, "build", "--quiet", "--wheel", "--out-dir", made / "wheels", source], made)
    wheels = sorted((made / "wheels").glob("*.whl"))
    assert [wheel.name.partition("-")[0] for wheel in wheels] == ["flow_hitl", "flow_hitl_client"]
    run([UV, "venv", "--quiet", "--python", sys.executable, made / "environment"], made)
    python = made / "environment/bin/python"
    run([UV, "pip", "install", "--quiet", "--no-deps", "--python", python, *wheels], made)
    # By a line alone: the links to this repository that are installed there are not followed.
    (packages_of(made / "environment") / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made / "environment"


def test_the_fixture_is_there_in_any_project(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "test_ours.py").write_text(USES_THE_FIXTURE)
    for name in ("functions", "infra"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("OWN = True\n")
    # Without the plugins that happen to be in the environment that runs the tests.
    without = [f"-pno:{name}" for name in ("cacheprovider", "schemathesis", "anyio", "hypothesispytest", "xdist")]
    assert "3 passed" in run([environment / "bin/python", "-m", "pytest", *without], tmp_path)


def test_the_commands_run_in_any_folder(environment: Path, tmp_path: Path) -> None:
    assert "Create deployments" in run([environment / "bin/flow-hitl", "--help"], tmp_path)
    assert run([environment / "bin/flow-hitl", "--version"], tmp_path).startswith("flow-hitl, version ")
    assert "* default" in run([environment / "bin/flow-hitl", "use"], tmp_path)
    assert "usage" in run([environment / "bin/flow-hitl-client", "--help"], tmp_path)
    listed = [str(environment / "bin/flow-hitl"), "deployment", "list", "--local"]
    home = {"FLOW_HITL_HOME": str(tmp_path)}
    ran = subprocess.run(listed, cwd=tmp_path, env=home, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert f"there is no {tmp_path}/operator.json" in ran.stderr


def test_each_package_says_that_it_has_types(environment: Path) -> None:
    ours = [path.parent for path in packages_of(environment).glob("flow_hitl*/__init__.py")]
    assert len(ours) == 5
    assert [path.name for path in ours if not (path / "py.typed").exists()] == []


def packages_of(environment: Path) -> Path:
    (packages,) = (environment / "lib").glob("python3*/site-packages")
    return packages


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command that may find nothing of this repository by its surroundings, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    ran = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
