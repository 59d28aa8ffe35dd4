"""What `make release` hands to others: only what is ready, always the same bytes, and templates that need no CDK."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local.environment import SITE_VENV
from infra.packaging import ROOT
from infra.release import template
from infra.release.archive import write_zip
from infra.release.build import build_site, build_wheel, prepare, version_of
from infra.release.changelog import NotReady, Release, read_release
from infra.release.sbom import Component, bill
from tests.infra.conftest import Assembly

CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2027-01-31)\n\n- Two.\n\n## 0.1.0 (2026-12-01)\n\n- One.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is ready: a clean tree whose changelog has the version."""
    files = {
        "CHANGELOG.md": CHANGELOG,
        "pyproject.toml": '[project]\nversion = "0.2.0"\n',
        "client/pyproject.toml": '[project]\nversion = "0.2.0"\n',
        "tests/releases/0.2.0.json": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")
    git(folder, *who, "commit", "--quiet", "--message", "All")


def test_version_and_day_are_those_of_the_changelog(project: Path) -> None:
    release = prepare(project)
    assert (release.version, str(release.day), release.notes) == ("0.2.0", "2027-01-31", "- Two.")


def test_a_tree_that_differs_from_its_commit_is_no_release(project: Path) -> None:
    (project / "new.py").touch()
    with pytest.raises(NotReady, match=r"differ from it: \?\? new\.py"):
        prepare(project)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n", r"no section for 0\.2\.0.*Rename `## Unreleased`"),
        ("CHANGELOG.md", "## 0.2.0\n\n- Two.\n", "must say when"),
        ("CHANGELOG.md", "## 0.2.0 (soon)\n\n- Two.\n", "must say when"),
        ("CHANGELOG.md", "## 0.2.0 (2027-01-31)\n\n## 0.1.0 (2026-12-01)\n\n- One.\n", "says nothing"),
        ("client/pyproject.toml", '[project]\nversion = "0.1.0"\n', r"two versions: 0\.1\.0, 0\.2\.0"),
    ],
)
def test_what_is_missing_is_named(project: Path, file: str, text: str, message: str) -> None:
    (project / file).write_text(text)
    commit(project)
    with pytest.raises(NotReady, match=message):
        prepare(project)


def test_what_later_releases_must_not_break_is_frozen_first(project: Path) -> None:
    (project / "tests/releases/0.2.0.json").unlink()
    commit(project)
    with pytest.raises(NotReady, match="make freeze"):
        prepare(project)


def test_the_two_packages_have_one_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", version_of(ROOT))


def test_an_archive_depends_on_what_is_in_it_alone(tmp_path: Path) -> None:
    names = ["b.py", "a/c.py", "a.py"]
    for folder, order, mode, moment in (("one", names, 0o644, 1e9), ("two", names[::-1], 0o755, 1.5e9)):
        for name in order:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            path.chmod(mode)
            os.utime(path, (moment, moment))
        write_zip(tmp_path / f"{folder}.zip", tmp_path / folder, 1_800_000_000)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_wheel_built_twice_is_the_same(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        # The build leaves files where it runs.
        shutil.copytree(ROOT / "client", tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        build_wheel(tmp_path / folder, 1_800_000_000, tmp_path / f"{folder}-wheel")
    (first,), (second,) = (list((tmp_path / f"{folder}-wheel").iterdir()) for folder in ("one", "two"))
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())


# --- templates for a launch without CDK


@pytest.fixture(scope="module")
def templates(assembly: Assembly) -> dict[str, Any]:
    """The templates of the tests' stack, whose domain and alarms are made the release's."""

    def of_release(one: dict[str, Any]) -> Any:
        text = json.dumps(one).replace("ops@example.com", template.ALARM_EMAIL)
        return json.loads(text.replace("hitl.example.com", template.INBOUND_DOMAIN))

    core, edge = of_release(assembly.core.template), of_release(assembly.mail_edge.template)
    assets = {key: f"{number}-${{Architecture}}.zip" for number, key in enumerate(sorted(keys_of(core)))}
    return {
        "core": template.core_template(core, assets, "flow-hitl-0.2.0/"),
        "edge": template.edge_template(edge, "mail-edge.zip", "flow-hitl-0.2.0/"),
    }


def keys_of(core: Any) -> set[str]:
    return {one.removesuffix(".zip") for one in values(core, lambda key, _: key == "S3Key")}


def values(document: Any, wanted: Callable[[str, Any], bool], key: str = "") -> list[Any]:
    """Return what a document holds at any depth that is wanted, by its key and itself."""
    found = [document] if wanted(key, document) else []
    if isinstance(document, dict):
        return found + [one for name, inner in document.items() for one in values(inner, wanted, name)]
    if isinstance(document, list):
        return found + [one for inner in document for one in values(inner, wanted)]
    return found


@pytest.mark.parametrize("stack", ["core", "edge"])
def test_a_template_has_parameters_in_place_of_every_option(templates: dict[str, Any], stack: str) -> None:
    body = {name: one for name, one in templates[stack].items() if name != "Parameters"}
    texts = values(body, lambda _, one: isinstance(one, str))
    # The archives' place is this release's.
    left = [one for one in texts if re.search("invalid|flow-?hitl(?!-0)|cdk-", one) and "ForBootstrap" not in one]
    assert left == []
    used = {one.replace("${AWS::StackName}", "") for one in texts}
    for name in templates[stack]["Parameters"]:
        assert any(one == name or f"${{{name}}}" in one for one in used), f"{name} is not used"


def test_nothing_of_cdk_is_asked_for(templates: dict[str, Any]) -> None:
    for one in templates.values():
        assert "Rules" not in one
        assert "BootstrapVersion" not in one["Parameters"]
        assert {str(value) for value in values(one, lambda key, _: key == "S3Bucket")} == {"{'Ref': 'AssetBucket'}"}


def test_the_processor_chooses_its_layer(templates: dict[str, Any]) -> None:
    core = templates["core"]["Resources"].values()
    functions = [one["Properties"] for one in core if one["Type"] == "AWS::Lambda::Function"]
    assert {str(one["Architectures"]) for one in functions} == {"[{'Ref': 'Architecture'}]"}
    layers = [one["Properties"]["Content"]["S3Key"] for one in core if one["Type"] == "AWS::Lambda::LayerVersion"]
    assert all("${Architecture}" in one["Fn::Sub"] for one in layers)


def test_the_edge_imports_what_the_core_exports(templates: dict[str, Any]) -> None:
    exported = {
        one["Export"]["Name"]["Fn::Sub"].replace("${AWS::StackName}", "flow-hitl")
        for one in templates["core"]["Outputs"].values()
        if "Export" in one
    }
    imported = {one["Fn::Sub"].replace("${CoreStack}", "flow-hitl") for one in imports(templates["edge"])}
    assert imported
    assert imported <= exported


def imports(document: Any) -> list[Any]:
    return values(document, lambda key, _: key == "Fn::ImportValue")


def test_text_that_has_what_a_substitution_would_replace_is_kept() -> None:
    resources = {"One": {"Name": f"${{kept}} {template.INBOUND_DOMAIN}", "Other": "${kept}"}}
    (changed,) = template.core_template({"Resources": resources}, {}, "")["Resources"].values()
    assert changed == {"Name": {"Fn::Sub": "${!kept} ${InboundDomain}"}, "Other": "${kept}"}


# --- the bill of materials


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: BSD 3-Clause", "BSD 3-Clause"),
        ("License: Copyright\n of everybody\nClassifier: License :: OSI Approved :: MIT License", "MIT License"),
        ("Classifier: Topic :: Email", ""),
    ],
)
def test_a_package_is_named_with_its_licence(headers: str, licence: str) -> None:
    found = Component.parse(f"Metadata-Version: 2.4\nName: Some_Package\nVersion: 1.2\n{headers}\n\nText.")
    assert found == Component("some-package", "1.2", licence)


def test_the_bill_lists_each_package_once_as_it_is_locked(project: Path) -> None:
    release = prepare(project)
    one, other = Component("jinja2", "3.1.6", "BSD"), Component("boto3", "1.44.5", "Apache-2.0")
    lock = "boto3==1.44.5 \\\n    --hash=sha256:00\njinja2==3.1.6 ; python_version > '3'\n"
    document = bill(release, [one, other, one], lock)
    assert [each["purl"] for each in document["components"]] == ["pkg:pypi/boto3@1.44.5", "pkg:pypi/jinja2@3.1.6"]
    assert document == bill(release, [other, one], lock)
    with pytest.raises(NotReady, match="jinja2"):
        bill(release, [one], lock.replace("3.1.6", "3.1.5"))


def test_every_release_has_a_time_of_its_own() -> None:
    assert [read_release(CHANGELOG, version).epoch for version in ("0.1.0", "0.2.0")] == [1796083200, 1801353600]
    assert isinstance(read_release(CHANGELOG, "0.1.0"), Release)


@pytest.mark.skipif(not SITE_VENV.exists(), reason="`make site` installs what builds it")
def test_the_documentation_is_a_site_and_always_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        build_site(ROOT, 1_800_000_000, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as site:
        assert {"index.html", "api.html", "guides/reviewer.html", "images/overview.svg"} <= set(site.namelist())
