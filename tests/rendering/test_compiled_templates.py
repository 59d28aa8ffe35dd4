"""The templates as Python modules, which Lambda need not compile at each cold start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flow_hitl.rendering.rendering import compile_templates

ROOT = Path(__file__).parents[2]

# Renders a page and an email in a new process, and counts the templates that jinja compiles for it.
RENDER = """
import json, sys
compiled = []
def look(frame, event, _):
    if event == "call" and frame.f_code.co_name == "generate" and frame.f_code.co_filename.endswith("compiler.py"):
        compiled.append(frame.f_locals["name"])
sys.setprofile(look)
from flow_hitl.rendering.rendering import render_email
from tests.rendering.test_rendering import MAILS
rendered = {mail.kind: render_email(mail) for mail in MAILS}
sys.setprofile(None)
print(json.dumps({"compiled": compiled, "rendered": {kind: vars(mail) for kind, mail in rendered.items()}}))
"""


def rendered(code: Path) -> dict[str, object]:
    """Return what a process says whose code, in Lambda's sense, is in a folder."""
    environment = {**os.environ, "LAMBDA_TASK_ROOT": str(code), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    run = subprocess.run([sys.executable, "-c", RENDER], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    document: dict[str, object] = json.loads(run.stdout)
    return document


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "templates").symlink_to(ROOT / "templates")
    compile_templates(folder / "compiled_templates")
    return folder


def test_compiled_templates_say_what_their_sources_say_and_nothing_is_compiled(package: Path) -> None:
    by_modules, by_sources = rendered(package), rendered(ROOT)
    assert by_modules["rendered"] == by_sources["rendered"]
    assert by_sources["compiled"]
    assert by_modules["compiled"] == []


def test_every_template_is_compiled(package: Path) -> None:
    templates = [path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt")]
    assert len(list((package / "compiled_templates").glob("tmpl_*.py"))) == len(templates)
