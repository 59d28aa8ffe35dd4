"""What a deployment no longer wants to keep is erased, and the log still proves what it was."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.requests.reading import keep_search
from flow_hitl.requests.store.request_store import document_text
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.requests.test_search import found
from tests.support.asserts import EMIT, callback

ANN = "ann@example.com"
SECRET = "quixotic"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def ask(hitl: Hitl, **fields: Any) -> AskedRequest:
    """Open a request whose every field of content has the secret in it."""
    given = {
        "title": f"Invoice {SECRET}",
        "output": {"text": SECRET},
        "state": {"customer": SECRET},
        "metadata": {"note": SECRET},
        "history": [{"method": "draft", "at": None, "output": SECRET}],
        "editable": True,
        "response_schema": {"type": "object", "properties": {"reason": {"type": "string"}}},
        "options": {"approved": {"label": f"Pay {SECRET}"}},
        "attachments": [{"name": f"{SECRET}.png", "media_type": "image/png", "content": PNG}],
        "assigned_to_email": ANN,
        **fields,
    }
    return hitl.ask(f"Pay {SECRET}?", emit=EMIT, **given)


def answer(hitl: Hitl, request: AskedRequest) -> None:
    said: dict[str, Any] = {
        "feedback": "fine",
        "outcome": "approved",
        "output": {"text": f"{SECRET} too"},
        "data": {"reason": SECRET},
    }
    assert callback(hitl, request, **said).status == 200


def stored(hitl: Hitl) -> str:
    """Return all that is stored of requests, texts to search, and objects beside them, as one text."""
    clients, pages = hitl._clients, []
    for table in ("requests", "deployments"):
        for page in clients["dynamodb"].get_paginator("scan").paginate(TableName=table):
            pages += [json.dumps(plain(values(row)), default=str) for row in page["Items"]]
    for bucket in ("content", "mail"):
        for one in clients["s3"].list_objects_v2(Bucket=bucket).get("Contents", ()):
            pages.append(one["Key"] + str(clients["s3"].get_object(Bucket=bucket, Key=one["Key"])["Body"].read()))
    return "\n".join(pages)


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a record as text that can be looked through: documents may be packed."""
    return {**row, "doc": document_text(row["doc"])} if row.get("sk", "").startswith("r#") else row


def verified(hitl: Hitl) -> Any:
    return hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/audit/verify").json


def test_the_content_of_a_decided_request_is_erased_when_its_days_are_over(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_content_days": 30})
    request = ask(hitl)
    answer(hitl, request)
    hitl.advance(days=29.9)
    hitl.keep_retention()
    assert request.now()["message"] == f"Pay {SECRET}?"
    hitl.advance(days=0.2)
    hitl.keep_retention()
    now = request.now()
    assert (now["message"], now["output"], now["state"], now["metadata"]) == ("", None, {}, {})
    assert (now["history"], now["attachments"], now["response_schema"]) == ([], [], None)
    assert now["content_erased_at"] is not None
    assert SECRET not in json.dumps(now)
    assert (now["response"]["outcome"], now["response"]["feedback"]) == ("approved", "fine"), "the decision stays"
    assert SECRET not in stored(hitl)
    hitl.seal()
    assert verified(hitl)["findings"] == []
    assert verified(hitl)["erased_contents"] == 1


def test_the_event_says_why_and_keeps_the_digest_of_what_was_there(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_content_days": 30})
    request = ask(hitl)
    answer(hitl, request)
    opened = request.timeline[0]
    hitl.advance(days=31)
    hitl.keep_retention()
    last = request.timeline[-1]
    assert (last["kind"], last["actor"]) == ("content_erased", "flow-hitl")
    assert (last["data"]["reason"], last["data"]["days"]) == ("retention", 30)
    assert last["data"]["kept_sha256"] == opened["data"]["kept_sha256"]


def test_pending_requests_are_never_touched_and_cancelled_ones_and_tests_are_erased(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_content_days": 15, "reply_token_days": 365})
    pending, cancelled = ask(hitl), ask(hitl, title="another")
    hitl.api("DELETE", f"/v1/requests/{cancelled.id}")
    test = hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/test-request", {"to": ANN}).json["request"]["id"]
    hitl.reply("It works")
    hitl.advance(days=40)
    hitl.keep_retention()
    assert pending.now()["message"] == f"Pay {SECRET}?"
    assert cancelled.now()["content_erased_at"] is not None
    assert hitl.api("GET", f"/v1/requests/{test}").json["request"]["content_erased_at"] is not None
    answer(hitl, pending)
    hitl.advance(days=16)
    hitl.keep_retention()
    assert pending.now()["content_erased_at"] is not None, "it counts from the decision"


def test_a_large_content_goes_from_the_bucket_and_an_equal_one_stays(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_content_days": 15})
    large = {"output": {"text": "A long draft. " * 6000}, "attachments": []}
    gone, stays = ask(hitl, **large), ask(hitl, **large)
    answer(hitl, gone)
    hitl.advance(days=16)
    hitl.keep_retention()
    assert gone.now()["output"] is None
    assert stays.now()["output"] == large["output"]
    names = [one["Key"] for one in hitl._clients["s3"].list_objects_v2(Bucket="content")["Contents"]]
    assert len(names) == 1
    assert stays.id in names[0]


def test_search_no_longer_finds_what_was_erased(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_search, "_ENOUGH", 1)
    hitl.configure(settings={"keep_content_days": 15})
    gone, stays = ask(hitl), ask(hitl)
    answer(hitl, gone)
    hitl.advance(minutes=5)
    hitl.measure()
    assert set(found(hitl, SECRET)) == {gone.id, stays.id}
    hitl.advance(days=16)
    hitl.keep_retention()
    assert found(hitl, SECRET) == [stays.id]
    assert set(found(hitl, "review")) == {gone.id, stays.id}, "its method still finds it"


def test_a_retention_set_later_reaches_what_was_decided_before(hitl: Hitl) -> None:
    request = ask(hitl)
    answer(hitl, request)
    hitl.advance(days=40)
    hitl.keep_retention()
    assert request.now()["content_erased_at"] is None
    hitl.configure(settings={"keep_content_days": 35})
    hitl.keep_retention()
    assert request.now()["content_erased_at"] is not None


def test_emails_are_erased_after_their_days_and_the_log_says_so(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_emails_days": 3})
    hitl.ask("Pay?", emit=EMIT, assigned_to_email=ANN)
    hitl.reply("what is this?", verdicts={"dmarc": "FAIL"})
    hitl.reply("approved")
    assert len(emails(hitl)) == 2
    hitl.advance(days=2)
    hitl.keep_retention()
    assert len(emails(hitl)) == 2
    hitl.advance(days=3)
    hitl.keep_retention()
    assert emails(hitl) == []
    (noted,) = [
        one
        for one in hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/audit").json["events"]
        if one["kind"] == "emails_erased"
    ]
    assert (noted["data"]["after"]["emails"], noted["data"]["after"]["days"]) == (2, 3)
    hitl.keep_retention()
    hitl.seal()
    assert verified(hitl)["findings"] == []


def test_without_a_retention_nothing_is_read_but_the_configuration(hitl: Hitl) -> None:
    from tests.support.aws_calls import AwsCall, around_calls

    answer(hitl, ask(hitl))
    hitl.advance(days=40)
    calls: list[str] = []

    def noted(call: AwsCall, make: Callable[[], Any]) -> Any:
        calls.append(call.operation)
        return make()

    with around_calls(noted):
        list(current().keep_retention())
    assert calls == ["Query", "GetItem"]


def emails(hitl: Hitl) -> list[str]:
    return [one["Key"] for one in hitl._clients["s3"].list_objects_v2(Bucket="mail").get("Contents", ())]


# --- what cannot be hidden behind an erasure


def redone(hitl: Hitl, request: AskedRequest, part: str, change: Callable[[Any], Any]) -> None:
    """Change a record as a forger can, behind the log's back; a brief answer stands in the head's."""
    key = item({"pk": request.id, "sk": "r#content" if part == "content" else "r#head"})
    row = values(hitl._clients["dynamodb"].get_item(TableName="requests", Key=key)["Item"])
    doc = json.loads(document_text(row["doc"]))
    row["doc"] = json.dumps(change(doc) if part == "content" else {**doc, "answer": change(doc["answer"])})
    hitl._clients["dynamodb"].put_item(TableName="requests", Item=item(row))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("content", lambda doc: {**doc, "message": "Pay something else?"}),
        ("response", lambda doc: {**doc, "output": {"text": "something else"}}),
        ("response", lambda doc: {**doc, "data": {"reason": "something else"}}),
    ],
)
def test_what_was_changed_is_not_erased_but_reported(hitl: Hitl, part: str, change: Callable[[Any], Any]) -> None:
    hitl.configure(settings={"keep_content_days": 15})
    forged, honest = ask(hitl), ask(hitl)
    answer(hitl, forged)
    answer(hitl, honest)
    redone(hitl, forged, part, change)
    hitl.advance(days=16)
    hitl.keep_retention()
    assert forged.now()["content_erased_at"] is None
    assert honest.now()["content_erased_at"] is not None, "it holds up no other"
    hitl.seal()
    assert any(forged.id in str(one["subject"]) for one in verified(hitl)["findings"])


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("content", lambda doc: {**doc, "message": "Something was here."}),
        ("response", lambda doc: {**doc, "output": {"text": "something else"}}),
        ("response", lambda doc: {**doc, "data": {"reason": "something else"}}),
    ],
)
def test_what_is_put_in_place_of_what_was_erased_is_found(hitl: Hitl, part: str, change: Callable[[Any], Any]) -> None:
    hitl.configure(settings={"keep_content_days": 15})
    request = ask(hitl)
    answer(hitl, request)
    hitl.advance(days=16)
    hitl.keep_retention()
    redone(hitl, request, part, change)
    hitl.seal()
    assert any(request.id in str(one["subject"]) for one in verified(hitl)["findings"])


def test_content_that_was_emptied_without_an_event_is_found(hitl: Hitl) -> None:
    request = ask(hitl)
    answer(hitl, request)
    redone(hitl, request, "content", lambda doc: {**doc, "message": "", "output": None, "state": {}})
    hitl.seal()
    assert any(request.id in str(one["subject"]) for one in verified(hitl)["findings"])


def test_an_answer_does_not_go_to_its_flow_again_once_the_content_is_erased(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_content_days": 15})
    request = ask(hitl)
    answer(hitl, request)
    hitl.advance(days=16)
    hitl.keep_retention()
    manager = hitl.signed_in()
    page = manager.get(f"/d/{hitl.deployment_id}/requests/{request.id}")
    assert page.status == 200
    assert "The content was erased" in page.text
    assert SECRET not in page.text
