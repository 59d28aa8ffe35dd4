"""The main path in the user's words: a flow asks, a person answers, the flow goes on."""

from infra.local.hitl_fixture import Hitl


def test_a_mail_reply_decides_the_request(hitl: Hitl) -> None:
    request = hitl.ask("Publish this?", emit=["approved", "rejected"], output="# Draft")
    assert hitl.inbox[-1].to == "creator@example.com"

    hitl.reply("rejected\nwrong price")

    assert request.outcome == "rejected"
    assert request.response["feedback"] == "rejected"
    assert request.response["comment"] == "wrong price"
    assert request.response["responded_via"] == "email"
    assert request.response["responder_verified"] is True


def test_the_reply_address_stands_on_the_line_of_its_header(hitl: Hitl) -> None:
    hitl.ask(emit=["approved"])
    mail = hitl.inbox[-1]
    assert f"Reply-To: {mail.reply_to}" in mail.raw
