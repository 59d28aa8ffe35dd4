"""Every command in the documents is run, or held against what would run it: a misspelled one fails here."""

import ast
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import botocore.model
import botocore.session
import click
import pytest

from flow_hitl.proof import verify_audit
from flow_hitl.retention.export_folder import SUMS
from infra.cli.main import main
from infra.local.hitl_fixture import Hitl
from infra.local.patience import HANG_SECONDS
from tests.browser.served import served
from tests.support.receiver import receiving
from tests.support.webhooks import hook, told
from tests.test_documents import documents

ROOT = Path(__file__).parents[1]
LANGUAGES = {"bash", "console", "http", "javascript", "json", "python", "text", "toml"}
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:\.venv/bin/)?flow-hitl [^`]+)`")
# Blocks with calls of the API: the tests below run all of them.
RUN = {"docs/quick-start.md", "docs/guides/webhooks.md"}
# Files that a reader has when they come to the command.
THEIRS = ("rules.json", "settings.json", "audit.zip", "key.txt", "verify_audit.py")

Document = pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))


@Document
def test_every_block_says_what_it_is(path: Path) -> None:
    assert {language for language, _ in blocks(path)} <= LANGUAGES


@Document
def test_every_command_is_one(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THEIRS:
        (tmp_path / name).write_text("{}")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    for words in commands(path):
        check(words, path)


@Document
def test_commands_within_a_sentence_exist_with_their_options(path: Path) -> None:
    for written in INLINE.findall(re.sub(r"\s+", " ", BLOCK.sub("", path.read_text("utf-8")))):
        command, rest = leaf(shlex.split(written)[1:])
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in rest if word.startswith("-")} <= known | {"--help"}, written


@Document
def test_json_and_toml_in_the_documents_can_be_read(path: Path) -> None:
    read = {"json": json.loads, "toml": tomllib.loads}
    for language, text in blocks(path):
        if language in read:
            read[language](text)


def test_the_quick_start_asks_and_gets_the_answer(hitl: Hitl, tmp_path: Path) -> None:
    ask, see = [text for language, text in blocks(ROOT / "docs/quick-start.md") if language == "bash"][2:]
    with served(hitl) as site:
        (tmp_path / ".local").mkdir()
        (tmp_path / ".local/credentials.json").write_text(json.dumps({"api_key": hitl.api_key}))
        created = bash(ask.replace("http://127.0.0.1:8700", site.url), tmp_path)
        assert json.loads(created)["request"]["emit_options"] == ["approved", "rejected"]
        hitl.reply("approved")
        answered = bash(see, tmp_path, FLOW_HITL_URL=site.url, FLOW_HITL_API_KEY=hitl.api_key)
        (request,) = json.loads(answered)["requests"]
        assert request["response"]["outcome"] == "approved"


def test_an_application_answers_as_the_guide_says(hitl: Hitl, tmp_path: Path) -> None:
    (answer,) = [text for _, text in blocks(ROOT / "docs/guides/webhooks.md") if "CALLBACK_URL" in text]
    with served(hitl), receiving() as app:
        hook(hitl, app.url)
        request = hitl.ask("Fit to print?", emit=["approved", "rejected"])
        bash(answer, tmp_path, CALLBACK_URL=told(app.received[0])["callback_url"])
    assert (request.outcome, request.response["responded_via"]) == ("approved", "api")


# --- reading


def blocks(path: Path) -> list[tuple[str, str]]:
    """Return the language and the text of each block of a document."""
    return [(language, text) for _, language, text in BLOCK.findall(path.read_text("utf-8"))]


def commands(path: Path) -> Iterator[Sequence[str]]:
    """Yield the words of each command of a document's blocks; what `&&`, `|` and `>` join is several."""
    for language, text in blocks(path):
        if language not in ("bash", "console"):
            continue
        if language == "console":
            text = "\n".join(line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ "))
        lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="\n;&|>")
        lexer.whitespace, lexer.whitespace_split = " \t", True
        lexer.commenters = ""
        words: list[str] = []
        for word in [*without_comments(lexer), "\n"]:
            if set(word) <= set("\n;&|>"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def without_comments(words: Iterator[str]) -> Iterator[str]:
    is_comment = False
    for word in words:
        is_comment = (is_comment or word == "#") and "\n" not in word
        if not is_comment:
            yield word


# --- checking: each kind of command by what would run it


def check(words: Sequence[str], path: Path) -> None:
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        exported(words[0])
        words = words[1:]
        if not words:
            return
    name = Path(words[0]).name
    assert name in CHECKS, f"nobody knows how to check {words}"
    CHECKS[name](words[1:], path)


def leaf(words: Sequence[str]) -> tuple[click.Command, Sequence[str]]:
    """Return the command that is named, and what follows its name."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and (rest[0] == "--local" or not rest[0].startswith("-")):
        word = rest.pop(0)
        if word != "--local":
            found = command.get_command(click.Context(command), word)
            assert found is not None, f"{word} is no command of {words}"
            command = found
    return command, rest


def operators_command(words: Sequence[str], path: Path) -> None:
    command, rest = leaf(words)
    with click.Context(main) as parent:
        command.make_context(command.name or "", list(rest), parent=parent)


def make(words: Sequence[str], path: Path) -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        pattern = rf"^{name} :=" if is_variable else rf"^{name}:"
        assert re.search(pattern, text, re.MULTILINE), f"the Makefile has no {name}"


def exported(word: str) -> None:
    name, _, value = word.partition("=")
    known = "".join(one.read_text("utf-8") for one in (ROOT / "client/flow_hitl_client").glob("*.py"))
    assert name in known or name == "PYTHONPATH", f"nothing reads {name}"
    if found := re.fullmatch(r"\$\(python3 -c (.+)\)", value, re.DOTALL):
        ast.parse(found[1].strip("'"))


def export(words: Sequence[str], path: Path) -> None:
    # In `$( … )`, quotes are taken off and words are cut; the whole is what was written on the line.
    name, _, value = words[0].partition("=")
    assert name.startswith("FLOW_HITL_")
    exported(words[0] if not value.startswith("$(") else f"{name}=x")


def python(words: Sequence[str], path: Path) -> None:
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]), words
    elif words[0] == "verify_audit.py":
        known = Path(verify_audit.__file__).read_text("utf-8")
        assert all(f'"{word}"' in known for word in words if word.startswith("--")), words
    else:
        assert (ROOT / words[0]).exists() or words[0] == "my_flows.py", words


def pip(words: Sequence[str], path: Path) -> None:
    assert words[0] == "install"
    for word in words[1:]:
        project, _, extra = word.removesuffix("]").partition("[")
        if project == "pre-commit":
            assert (ROOT / ".pre-commit-config.yaml").exists()
            continue
        declared = tomllib.loads((ROOT / project / "pyproject.toml").read_text("utf-8"))["project"]
        assert not extra or extra in declared["optional-dependencies"], words


def clients_command(words: Sequence[str], path: Path) -> None:
    from flow_hitl_client.cli import _parser

    _parser().parse_args(list(words))


def aws(words: Sequence[str], path: Path) -> None:
    service, operation, *rest = words
    session = botocore.session.get_session()
    model = session.get_service_model(service)
    if operation == "wait":
        waiter = session.get_waiter_model(service).get_waiter(pascal(rest.pop(0)))
        operation = waiter.operation
    shape = model.operation_model(pascal(operation) if "-" in operation else operation).input_shape
    members = {member.lower() for member in shape.members} if shape else set[str]()
    for word in rest:
        if word.startswith("--") and word not in ("--query", "--output", "--region"):
            assert word.removeprefix("--").replace("-", "").lower() in members, word


def pascal(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("-"))


def curl(words: Sequence[str], path: Path) -> None:
    assert str(path.relative_to(ROOT)) in RUN, "a call of the API is to be run by a test of its own"


def sha256sum(words: Sequence[str], path: Path) -> None:
    assert list(words) == ["--check", SUMS], "another file or option is to be tried by hand first"


def nothing(words: Sequence[str], path: Path) -> None:
    """Take the name of a file that output goes to."""


CHECKS: dict[str, Callable[[Sequence[str], Path], None]] = {
    "aws": aws,
    "curl": curl,
    "export": export,
    "flow-hitl": operators_command,
    "flow-hitl-client": clients_command,
    "key.txt": nothing,
    "make": make,
    "pip": pip,
    "pre-commit": nothing,
    "python": python,
    "sha256sum": sha256sum,
}


@pytest.mark.parametrize(
    "written",
    [
        "flow-hitl nonsense",
        "flow-hitl redrive all --nonsense",
        "flow-hitl deployment quota 1 --mails-per-day many",
        "make nonsense",
        "aws kms get-public-kee --key-id 1",
        "aws kms get-public-key --key 1",
        "nonsense",
        "python nowhere.py",
        "pip install './client[nonsense]'",
    ],
)
def test_a_command_that_does_not_exist_is_seen(written: str) -> None:
    with pytest.raises((AssertionError, click.UsageError, botocore.model.OperationNotFoundError)):
        check(shlex.split(written), ROOT / "README.md")


def bash(script: str, folder: Path, **more: str) -> str:
    """Run a block as a reader would, in a folder; return what it prints."""
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}
    ran = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
