"""A flow that asks a person, waits, and goes on with the answer. No framework, only the client.

    FLOW_HITL_URL=… FLOW_HITL_API_KEY=… python flow.py

`make demo` runs it against the local stack and answers the mail; `examples/README.md` shows how to do so by hand.
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

    # Ask. The server chooses the person by its routing rules and mails them; the flow only says what it needs.
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

    # Wait. This is one quiet connection, for as long as people need. (A flow that should not keep a process alive gives
    # a `resume_url` above and ends here: it is called with the decision.)
    request = hitl.wait_for(request["id"])
    response = request["response"]
    if response is None:
        say("The request was cancelled: nothing to do.")
        return 1
    answer = response["outcome"] or "in their own words"
    say(f"{response['responder'] or 'The clock'} answered by {response['responded_via']}: {answer}")

    # Go on.
    note = response["comment"] or response["feedback"]
    if response["outcome"] == "approved":
        say(f"Publishing. Note: {note}")
    elif response["outcome"] == "rejected":
        say(f"Archiving. Reason: {note}")
    else:
        say(f"Back to the author. Wanted: {note}")

    # Close the circle: the request's timeline now says that the flow has gone on.
    hitl.report_resume_status(request["id"], "resumed")
    return 0


def say(text: str) -> None:
    print(f"[flow] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
