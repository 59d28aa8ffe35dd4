"""`flow-hitl cost`: its counts are those of a stack and of reviews, and it says what binds first."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli.main import main
from infra.cost import BY_API, BY_EMAIL, STACK, Review, Stack, idle_month, of_reviews, total
from infra.local.hitl_fixture import Hitl
from infra.topology import QUEUES
from tests.infra import conftest
from tests.test_write_units import review


def cost(*words: object) -> Any:
    result = CliRunner().invoke(main, ["cost", *map(str, words), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_what_is_paid_by_the_month_is_what_the_template_has(core: conftest.Stack) -> None:
    assert (
        Stack(
            alarms=len(core.of_type("AWS::CloudWatch::Alarm")),
            keys=len(core.of_type("AWS::KMS::Key")),
            secrets=len(core.of_type("AWS::SecretsManager::Secret")),
            dashboards=len(core.of_type("AWS::CloudWatch::Dashboard")),
            polled_queues=len(QUEUES),
            runs_per_hour=12 + 12 + 1,
        )
        == STACK
    )


@pytest.mark.parametrize(("by_email", "expected"), [(True, BY_EMAIL), (False, BY_API)])
def test_what_is_paid_by_the_review_is_what_one_does(hitl: Hitl, by_email: bool, expected: Review) -> None:
    hitl.configure(settings={"email_notifications": by_email})
    sent = len(hitl.inbox)
    found = review(hitl, by_email=by_email)
    assert expected == Review(
        write_units=found.units.writes,
        read_units=found.units.reads,
        api_calls=found.invocations["intake"] + found.invocations["respond"],
        invocations=found.invocations.total(),
        messages=found.messages,
        emails_sent=(len(hitl.inbox) - sent) // 2,
        emails_received=found.invocations["inbound_mail"],
    )


def test_a_quiet_stack_and_a_million_reviews_cost_what_the_documents_say() -> None:
    assert 5 < total(idle_month(STACK)) < 25
    by_api, by_email = (total(of_reviews(one, 1_000_000)) for one in (BY_API, BY_EMAIL))
    assert by_api < by_email
    assert by_email == pytest.approx(total(of_reviews(BY_EMAIL, 1000)) * 1000)


def test_the_month_is_the_quiet_one_and_its_reviews() -> None:
    quiet, busy = cost("--reviews-per-day", 0), cost("--reviews-per-day", 1000)
    assert quiet["month"] == quiet["idle_month"] == busy["idle_month"]
    assert busy["month"] == pytest.approx(busy["idle_month"] + 30 * busy["per_1000_reviews"], abs=0.05)
    assert len(busy["largest"]) == 3


def test_five_thousand_reviews_a_day_are_warned_of_the_quota_of_emails() -> None:
    result = CliRunner().invoke(main, ["cost", "--reviews-per-day", "6000"])
    assert "WARNING: mails_per_day stops them at 5,000 reviews a day." in result.output
    assert "--mails-per-day" in result.output
    assert cost("--reviews-per-day", 6000)["limits"][0]["name"] == "mails_per_day"


def test_a_small_quota_of_ses_binds_first() -> None:
    assert cost("--reviews-per-day", 10, "--ses-per-day", 200)["limits"][0] == {
        "name": "the quota of SES",
        "reviews_per_day": 100,
        "remedy": "ask AWS for more in the SES console",
    }


def test_without_emails_the_calls_bind() -> None:
    assert [one["name"] for one in cost("--reviews-per-day", 10, "--by-api")["limits"]] == ["requests_per_hour"]
