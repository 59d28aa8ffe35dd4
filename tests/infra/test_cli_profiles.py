"""Which stack a command works on, chosen once or for a call, and how the command meets a terminal."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from infra.app import file_options
from infra.cli.completion import completion
from infra.cli.main import main
from infra.cli.target import CommandTarget, with_target
from infra.options_file import FILE, FILE_VARIABLE, PROFILE_FILE, PROFILE_VARIABLE, read_options
from tests.infra.test_cli_deploy import ANSWERS

OPTIONS = """
stack_name = "flow-hitl"
region = "eu-west-1"
inbound_domain = "hitl.example.com"
alarm_email = "ops@example.com"

[profiles.staging]
stack_name = "staging"
inbound_domain = "staging.example.com"
stage = "evaluation"
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (FILE_VARIABLE, PROFILE_VARIABLE, "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    Path(FILE).write_text(OPTIONS)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words, terminal_width=120)


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a command that says where it would work."""

    @click.command()
    @with_target
    def where(target: CommandTarget) -> None:
        click.echo(f"{target.profile} {target.stack_name} {target.local}{target.choice}")

    monkeypatch.setitem(main.commands, "where", where)


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(
    ("words", "kept", "environment", "said"),
    [
        ([], None, None, "default flow-hitl False"),
        ([], "staging", None, "staging staging False"),
        ([], "local", None, "local flow-hitl True"),
        ([], "local", "staging", "staging staging False"),
        (["--profile", "staging"], "local", "local", "staging staging False --profile staging"),
        (["--profile", "default"], "local", None, "default flow-hitl False --profile default"),
        (["--local"], "staging", None, "local flow-hitl True --local"),
        (["--stack", "other"], "staging", "local", "default other False --stack other"),
    ],
)
def test_the_nearest_choice_counts(
    words: list[str], kept: str | None, environment: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kept:
        assert run("use", kept).exit_code == 0
    if environment:
        monkeypatch.setenv(PROFILE_VARIABLE, environment)
    assert run("where", *words).stdout == f"{said}\n"
    assert run(*words, "where").stdout == f"{said}\n"


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(
    "words", [("--local", "--stack", "a"), ("--local", "--profile", "a"), ("--profile", "a", "--stack", "b")]
)
def test_two_choices_in_one_call_are_refused(words: tuple[str, ...]) -> None:
    refused = run("where", *words)
    assert (refused.exit_code, "not both" in refused.stderr) == (2, True)


def test_a_profile_has_its_own_options_beside_those_of_all() -> None:
    assert read_options(Path(FILE), "staging") == {
        "stack_name": "staging",
        "region": "eu-west-1",
        "inbound_domain": "staging.example.com",
        "alarm_email": "ops@example.com",
        "stage": "evaluation",
    }


def test_cdk_deploys_the_chosen_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE_VARIABLE, "staging")
    assert file_options()["stack_name"] == "staging"


@pytest.mark.parametrize(
    ("text", "profile", "message"),
    [
        (OPTIONS, "stagin", "has no profile stagin. Is it staging?"),
        (OPTIONS, "xyz", "There are default, local, staging."),
        ("[profiles.a]\nregoin = 'x'", "default", "unknown option regoin. Is it region?"),
        ("[profiles.local]\n", "default", "no section can be named local"),
        ("profiles = 1", "default", "profiles are sections"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, profile: str, message: str) -> None:
    Path(FILE).write_text(text)
    with pytest.raises(ValueError, match=r"flow-hitl\.toml") as refused:
        read_options(Path(FILE), profile)
    assert message in str(refused.value)


def test_use_lists_what_there_is_and_keeps_a_choice_in_the_folder() -> None:
    assert run("use").stdout == "* default\n  local\n  staging\n"
    assert "this folder work on the profile staging" in run("use", "staging").stdout
    assert run("use").stdout == "  default\n  local\n* staging\n"
    run("use", "default")
    assert not Path(PROFILE_FILE).exists()


def test_use_of_what_is_not_there_changes_nothing() -> None:
    error, hint = run("use", "stagin").stderr.splitlines()
    assert error == "Error: There is no profile stagin."
    assert hint == "Hint: There are default, local, staging."
    assert not Path(PROFILE_FILE).exists()


def test_a_profile_without_a_file_is_told_how_to_have_one() -> None:
    Path(FILE).unlink()
    error, hint = run("--profile", "staging", "status").stderr.splitlines()
    assert error == "Error: flow-hitl.toml has no profile staging. There are default, local."
    assert "flow-hitl init" in hint


def test_use_says_that_the_environment_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE_VARIABLE, "local")
    assert f"{PROFILE_VARIABLE} chooses local" in run("use", "staging").stderr


@pytest.mark.parametrize("command", ["deploy", "preflight", "destroy"])
def test_what_is_for_aws_is_refused_for_the_local_stack(command: str) -> None:
    run("use", "local")
    assert run(command).exit_code == 2


# --- the terminal


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_is_a_script_for_this_command(shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_FLOW_HITL_COMPLETE" in script
    assert "flow-hitl" in script


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    command = tmp_path / "flow-hitl"
    folders = [os.fspath(Path(one).resolve()) for one in sys.path if one]
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path[:0] = {folders!r}\nfrom infra.cli.main import main\nmain()\n"
    )
    command.chmod(0o755)
    words = "COMP_WORDS=(flow-hitl dep); COMP_CWORD=1; _flow_hitl_completion flow-hitl; echo ${COMPREPLY[@]}"
    script = f'eval "$({shlex.quote(str(command))} completion bash)"; {words}'
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["deploy", "deployment"]


@pytest.mark.parametrize(
    ("terminal", "no_color", "colored"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colors_are_for_terminals_and_for_those_who_want_them(
    terminal: bool, no_color: str, colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(FILE).write_text("")
    monkeypatch.setenv("NO_COLOR", no_color)
    # click's runner has no terminal; `color` has it take its output for one.
    looked = CliRunner().invoke(main, ["preflight"], color=terminal)
    assert ("\x1b[" in looked.output) == colored, looked.output


def test_an_error_is_a_sentence_and_a_hint_without_colors_in_a_file(tmp_path: Path) -> None:
    assert run("use", "nobody").stderr.startswith("Error: There is no profile nobody.\nHint: ")


# --- the client's commands


def test_the_clients_commands_are_there_under_one_name(tmp_path: Path) -> None:
    listed = run("flow", "pending", "--store", str(tmp_path / "flows.db"))
    assert (listed.exit_code, listed.stdout) == (0, "0 review points wait for a person.\n")
    assert "usage: flow-hitl flow" in run("flow", "--help").stdout
    assert run("flow", "resume").exit_code == 2


def test_without_the_client_it_is_said_where_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flow_hitl_client.cli", None)
    assert "pip install 'flow-hitl-client[crewai]'" in run("flow", "pending").stderr


def test_the_completion_names_every_shell_that_it_knows() -> None:
    assert all(f"completion {shell}" in str(completion.help) for shell in ("bash", "zsh", "fish"))


def test_init_writes_what_every_profile_shares() -> None:
    Path(FILE).unlink()
    assert CliRunner().invoke(main, ["init"], input=ANSWERS).exit_code == 0
    assert "[profiles" not in Path(FILE).read_text()
