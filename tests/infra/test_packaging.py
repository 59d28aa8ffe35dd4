"""What Lambda gets: our packages with their names, bytecode that fits, the same result for the same input."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from infra import packaging
from infra.packaging import Packager

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def _own_build_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "BUILD_DIRECTORY", tmp_path / "build")


def test_the_functions_asset_keeps_the_package_and_holds_what_they_show() -> None:
    path = Packager(THIS_PYTHON, "x86_64").functions().path
    assert sorted(entry.name for entry in path.iterdir()) == ["docs", "functions", "templates"]
    assert (path / "functions/intake.py").is_file()


def test_of_the_docs_the_functions_get_the_apis_description_alone() -> None:
    path = Packager(THIS_PYTHON, "x86_64").functions().path
    assert [file.name for file in (path / "docs").iterdir()] == ["openapi.json"]
    assert (path / "docs/openapi.json").read_bytes() == (packaging.ROOT / "docs/openapi.json").read_bytes()


def test_the_layer_holds_our_code_and_nothing_else() -> None:
    path = Packager(THIS_PYTHON, "arm64").flow_hitl().path
    assert [entry.name for entry in path.iterdir()] == ["python"]
    assert [entry.name for entry in (path / "python").iterdir()] == ["flow_hitl"]
    assert {file.suffix for file in path.rglob("*") if file.is_file()} == {".py", ".pyc"}


def test_bytecode_is_never_checked_against_the_times_of_the_files() -> None:
    path = Packager(THIS_PYTHON, "arm64").flow_hitl().path
    compiled = Path(importlib.util.cache_from_source(str(path / "python/flow_hitl/platform/environment.py")))
    header = compiled.read_bytes()[:8]
    assert header[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(header[4:], "little") == 0b01  # hash-based, unchecked


def test_without_the_runtimes_python_there_is_no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packager, "_interpreter", lambda _: None)
    path = Packager("3.14", "arm64").flow_hitl().path
    assert not list(path.rglob("*.pyc"))


def test_the_same_input_is_built_once_and_other_input_apart() -> None:
    packager = Packager(THIS_PYTHON, "arm64")
    first = packager.flow_hitl()
    marker = first.path / "marker"
    marker.touch()
    os.utime(packaging.ROOT / "layers/flow_hitl/python/flow_hitl/platform/environment.py")
    assert packager.flow_hitl() == first
    assert marker.exists()
    assert Packager(THIS_PYTHON, "x86_64").flow_hitl().digest != first.digest


def test_the_result_is_the_same_when_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _contents(Packager(THIS_PYTHON, "arm64").functions().path)
    monkeypatch.setattr(packaging, "BUILD_DIRECTORY", tmp_path / "another place")
    assert _contents(Packager(THIS_PYTHON, "arm64").functions().path) == first


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "_compile", _fail)
    with pytest.raises(RuntimeError):
        Packager(THIS_PYTHON, "arm64").functions()
    assert list((tmp_path / "build").iterdir()) == []


def _fail(*_: object) -> None:
    raise RuntimeError("no space left")


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
