"""`flow-hitl.toml`: what was chosen once holds for every deployment and every command."""

from pathlib import Path

import pytest

from infra.app import file_options
from infra.options import Options
from infra.options_file import FILE_VARIABLE, read_options, write_options


def kept(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "flow-hitl.toml"
    path.write_text(text)
    return read_options(path)


def test_what_was_written_reads_back(tmp_path: Path) -> None:
    options = {"stage": "evaluation", "region": "eu-west-1", "inbound_domain": "a.example", "alarm_email": "none"}
    write_options(tmp_path / "new.toml", options)
    assert read_options(tmp_path / "new.toml") == options
    with pytest.raises(FileExistsError):
        write_options(tmp_path / "new.toml", options)


def test_every_kind_of_value_becomes_what_cdk_has_on_its_command_line(tmp_path: Path) -> None:
    text = 'seal_key = 2\nallow_insecure_urls = false\nallowed_networks = ["10.0.0.0/8", "jira.internal.example"]'
    assert kept(tmp_path, text) == {
        "seal_key": "2",
        "allow_insecure_urls": "false",
        "allowed_networks": "10.0.0.0/8,jira.internal.example",
    }


def test_without_a_file_nothing_is_chosen(tmp_path: Path) -> None:
    assert read_options(tmp_path / "missing.toml") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alarm_mail = 'a@b.example'", "unknown option alarm_mail. Is it alarm_email?"),
        ("xyzzy = 1", "unknown option xyzzy. Known are alarm_email"),
        ("stage = ", "cannot be read"),
        ("seal_key = 1.5", "seal_key must be a text"),
        ("allowed_networks = [1]", "allowed_networks must be a text"),
        ("[stage]", "stage must be a text"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"flow-hitl\.toml") as refused:
        kept(tmp_path, text)
    assert message in str(refused.value)


def test_the_app_deploys_what_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "staging.toml"
    path.write_text('region = "eu-west-1"\ninbound_domain = "a.example"\nalarm_email = "none"\nstack_name = "staging"')
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    assert Options.from_context(file_options()).stack_name == "staging"
    assert "region" not in file_options()
