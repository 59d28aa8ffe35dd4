"""`flow-hitl cost`: its counts are those of a stack and of reviews, and it says what binds first."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra import prices
from infra.cli.main import main
from infra.cost import BY_API, BY_EMAIL, STACK, Review, Stack, idle_month, of_reviews, total
from infra.local.hitl_fixture import Hitl
from infra.topology import QUEUES
from tests.infra import conftest
from tests.test_write_units import review

ROOT = Path(__file__).parents[2]


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
            runs_per_hour=12 + 12 + 1 + 1,
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


def test_the_documents_say_what_it_costs() -> None:
    text = (ROOT / "docs/cost.md").read_text("utf-8")
    said = {what: float(dollars.replace(",", "")) for what, dollars in re.findall(r"\| (.+?) \| ([\d.,]+) \|", text)}
    by_email, by_page = (total(of_reviews(one, 1000)) for one in (BY_EMAIL, BY_API))
    expected = {
        "a month in which nothing happens": total(idle_month(STACK)),
        "1,000 reviews by email": by_email,
        "1,000 reviews by page or API, without emails": by_page,
        "1,000,000 reviews by email": 1000 * by_email,
        "1,000,000 reviews by page or API, without emails": 1000 * by_page,
    }
    assert said == {what: pytest.approx(dollars, rel=0.15) for what, dollars in expected.items()}
    largest = [(item.name, item.dollars) for item in of_reviews(BY_EMAIL, 1000)][:3]
    written = re.findall(r"([a-z ]+?) \((0\.\d\d)\)", " ".join(text.split()))
    assert [dollars for _, dollars in largest] == [pytest.approx(float(dollars), rel=0.2) for _, dollars in written]
    assert all(name in " ".join(text.split()) for name, _ in largest)
    assert prices.AS_OF in text


def test_the_documents_say_what_binds_first() -> None:
    text = (ROOT / "docs/cost.md").read_text("utf-8")
    found = cost("--reviews-per-day", 10, "--ses-per-day", 200)["limits"]
    assert [f"{one['reviews_per_day']:,} reviews" in text for one in found] == [True, True, True]
