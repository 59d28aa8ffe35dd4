"""A decision's receipt on the local stack: signed under the template's own roles, checked with the client alone."""

import json

import pytest

from flow_hitl_client.receipts import ReceiptInvalid, verify_receipt
from tests.e2e import web
from tests.e2e.local_client import LocalClient, eventually, fresh_address
from tests.support.receiver import receiving

pytestmark = pytest.mark.e2e


def test_a_flow_is_resumed_with_a_receipt_that_its_executor_can_check(local: LocalClient) -> None:
    reviewer = fresh_address("signer")
    with receiving() as flow:
        created = local.ask(
            receipt=True, approval_ttl_minutes=60, output="Pay $ 7", assigned_to_email=reviewer, resume_url=flow.url
        )
        mail = local.wait_for_mail(reviewer)
        local.send(reviewer, mail["reply_to"], "approved\n")
        (post,) = eventually(lambda: flow.received, "the resumption")
    request = json.loads(post.body)["request"]
    keys = web.get(f"{local.credentials.base_url}/v1/keys").json()
    request_id, receipt = created["request"]["id"], request["response"]["receipt"]

    said = verify_receipt(receipt, keys, request_id=request_id, request=request, output="Pay $ 7", outcome="approved")

    assert (said.responder, said.verified_by) == (reviewer, "reply_address")
    assert local.request(request_id)["response"]["receipt"] == receipt
    assert local.kinds(request_id).count("receipt_issued") == 1
    with pytest.raises(ReceiptInvalid, match="another output"):
        verify_receipt(receipt, keys, request_id=request_id, output="Pay $ 700")
    with pytest.raises(ReceiptInvalid, match="another request"):
        verify_receipt(receipt, keys, request_id="0192f0c1-7e11-7abc-8def-0123456789ab")
