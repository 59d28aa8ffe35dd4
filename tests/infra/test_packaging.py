"""What Lambda gets: our packages with their names, bytecode that fits, the same result for the same input."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from infra import bytecode, packaging
from infra.packaging import Packager

# `importlib.util.MAGIC_NUMBER` of Python 3.13.
MAGIC_3_13 = (3571).to_bytes(2, "little") + b"\r\n"
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def _own_build_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "BUILD_DIRECTORY", tmp_path / "build")


@pytest.fixture(scope="module")
def _kept_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging") / "build"


@pytest.fixture
def only_looks(_own_build_directory: None, _kept_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test that changes nothing look at what another such test has built."""
    monkeypatch.setattr(packaging, "BUILD_DIRECTORY", _kept_directory)


@pytest.mark.usefixtures("only_looks")
def test_the_functions_asset_keeps_the_package_and_holds_what_they_show() -> None:
    path = Packager(THIS_PYTHON, "x86_64").functions().path
    assert sorted(entry.name for entry in path.iterdir()) == ["compiled_templates", "docs", "functions", "templates"]
    assert (path / "functions/intake.py").is_file()


@pytest.mark.usefixtures("only_looks")
def test_the_functions_get_the_apis_description_and_the_guide() -> None:
    path = Packager(THIS_PYTHON, "x86_64").functions().path
    assert _contents(path / "docs") == _contents(packaging.ROOT / "docs")


@pytest.mark.usefixtures("only_looks")
def test_the_layer_holds_our_code_and_nothing_else() -> None:
    path = Packager(THIS_PYTHON, "arm64").flow_hitl().path
    assert [entry.name for entry in path.iterdir()] == ["python"]
    assert [entry.name for entry in (path / "python").iterdir()] == ["flow_hitl"]
    assert {file.suffix for file in path.rglob("*") if file.is_file()} == {".py", ".pyc"}


@pytest.mark.usefixtures("only_looks")
def test_bytecode_is_never_checked_against_the_times_of_the_files() -> None:
    path = Packager(THIS_PYTHON, "arm64").flow_hitl().path
    compiled = Path(importlib.util.cache_from_source(str(path / "python/flow_hitl/platform/environment.py")))
    header = compiled.read_bytes()[:8]
    assert header[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(header[4:], "little") == 0b01  # hash-based, unchecked


def test_a_python_that_is_not_here_runs_in_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "find_interpreter", lambda _: None)
    module = tmp_path / "code/package/module.py"
    module.parent.mkdir(parents=True)
    module.write_text("async def f[T](x: T) -> T:\n    return x\n")
    bytecode.write_bytecode("3.13", tmp_path / "code")
    (compiled,) = tmp_path.rglob("*.pyc")
    assert compiled.name == "module.cpython-313.pyc"
    header = compiled.read_bytes()[:8]
    assert header == MAGIC_3_13 + (0b01).to_bytes(4, "little"), "hash-based, unchecked"
    assert b"/package/module.py" in compiled.read_bytes(), "as in Lambda, not where it was built"


def test_what_runs_nowhere_is_refused_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "find_interpreter", lambda _: None)
    with pytest.raises(RuntimeError, match=r"-c python=3\.13"):
        bytecode.write_bytecode("3.12", tmp_path)


def test_the_hash_does_not_tell_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(packaging, "write_bytecode", lambda python, _: written.append(python))
    here = Packager("3.13", "arm64").functions()
    monkeypatch.setattr(bytecode, "find_interpreter", lambda _: None)
    assert Packager("3.13", "arm64").functions() == here
    assert written == ["3.13"]


def test_the_same_input_is_built_once_and_other_input_apart() -> None:
    packager = Packager(THIS_PYTHON, "arm64")
    first = packager.flow_hitl()
    marker = first.path / "marker"
    marker.touch()
    os.utime(packaging.ROOT / "layers/flow_hitl/python/flow_hitl/platform/environment.py")
    assert packager.flow_hitl() == first
    assert marker.exists()
    assert Packager(THIS_PYTHON, "x86_64").flow_hitl().digest != first.digest


@pytest.mark.usefixtures("only_looks")
def test_the_result_is_the_same_when_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _contents(Packager(THIS_PYTHON, "x86_64").functions().path)
    monkeypatch.setattr(packaging, "BUILD_DIRECTORY", tmp_path / "another place")
    assert _contents(Packager(THIS_PYTHON, "x86_64").functions().path) == first


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "write_bytecode", _fail)
    with pytest.raises(RuntimeError):
        Packager(THIS_PYTHON, "arm64").functions()
    assert list((tmp_path / "build").iterdir()) == []


def _fail(*_: object) -> None:
    raise RuntimeError("no space left")


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
