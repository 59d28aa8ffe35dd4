"""How many write units a review costs: with the emails, they are its price, so one more must be meant."""

from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback
from tests.support.receiver import receiving
from tests.support.units import Units, counted

# Of each: the transaction's write, which is billed twice, and the index entries.
OPENED = {"requests r#head": 2, "requests r#content": 2, "audit request_created": 2}
LISTED = {"requests r#head by_created": 2, "requests r#head by_status": 3, "requests r#head by_assignee": 3}
DUE_AND_DECIDED = {"requests r#head by_due": 2, "requests r#head by_decision": 1}


def review(hitl: Hitl, *, by_email: bool) -> Units:
    """Return what the second of two equal reviews costs, from its creation until its flow has resumed."""
    with receiving() as flow:
        for _ in range(2):
            with counted() as units:
                request = hitl.ask(emit=EMIT, resume_url=flow.url, message="Publish this article?")
                if by_email:
                    hitl.reply("approved")
                else:
                    callback(hitl, request)
        assert len(flow.received) == 2
    return units


def test_a_review_without_emails(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    units = review(hitl, by_email=False)
    assert units.written == {
        **{name: n for name, n in OPENED.items() if name != "requests r#head"},
        **LISTED,
        **DUE_AND_DECIDED,
        "audit request_created by_day": 1,
        "requests r#head": 6,
        "requests r#response": 2,
        "audit response_submitted": 2,
        "audit response_submitted by_day": 1,
        "requests effect": 1,
        "deployments activity": 1,
        "audit resume_attempted": 2,
        "audit resume_attempted by_day": 1,
    }
    assert units.writes == 32


def test_a_review_by_email(hitl: Hitl) -> None:
    units = review(hitl, by_email=True)
    assert units.written["requests r#head"] == 10, "five steps, each in a transaction, and below a kilobyte"
    assert units.written["requests effect"] == 3, (
        "one claim each for the notification, the confirmation, and the resumption"
    )
    assert units.writes == 45


def test_a_long_message_costs_nothing_more(hitl: Hitl) -> None:
    with counted() as short:
        hitl.ask(emit=EMIT, message="Publish?")
    with counted() as long:
        hitl.ask(emit=EMIT, message="Publish this article, which says much about many things? " * 20)
    assert long.written["requests r#head"] == short.written["requests r#head"]
