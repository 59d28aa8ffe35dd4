"""A flow that asks a person, waits, and continues with the answer. No framework, only the client.

    FLOW_HITL_URL=… FLOW_HITL_API_KEY=… python flow.py

`make demo` runs it on the local stack and answers the email; `examples/README.md` shows how to do it by hand.
"""

import sys
import uuid

from flow_hitl_client import Client

CONTENT = """\
# Spring, delivered

Our new **Meadow** collection is here: *twelve colours*, made to last.

- Free delivery until the end of March
- 30 days to change your mind
"""


def main() -> int:
    hitl = Client()

    # Ask. The server picks the person by its routing rules and emails them.
    created = hitl.create_request(
        flow_id=f"flow_{uuid.uuid4()}",
        flow_name="ContentApprovalFlow",
        method_name="review_content",
        message="Please review this content for brand compliance:",
        output=CONTENT,
        emit_options=["approved", "rejected", "needs_revision"],
        state={"campaign": "Spring", "channel": "newsletter"},
    )
    request = created["request"]
    say(f"Request {request['id']}: waiting for {request['assigned_to_email']} to answer …")

    # Wait for as long as people need. To end the process instead, pass a `resume_url` above: it gets the decision.
    request = hitl.wait_for(request["id"])
    response = request["response"]
    if response is None:
        say("The request was cancelled: nothing to do.")
        return 1
    answer = response["outcome"] or "in their own words"
    say(f"{response['responder'] or 'The clock'} answered by {response['responded_via']}: {answer}")

    # Continue.
    note = response["comment"] or response["feedback"]
    if response["outcome"] == "approved":
        say(f"Publishing. Note: {note}")
    elif response["outcome"] == "rejected":
        say(f"Archiving. Reason: {note}")
    else:
        say(f"Back to the author. Wanted: {note}")

    # Report to the request's timeline that the flow resumed.
    hitl.report_resume_status(request["id"], "resumed")
    return 0


def say(text: str) -> None:
    print(f"[flow] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
