"""A test request: a real one to a chosen address, whose answer proves that mails go out and answers come back."""

from collections.abc import Sequence

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.ports import AuditLog
from flow_hitl.contract.validation import Assignee, Document, refuse
from flow_hitl.deployments.deployment import OPERATOR, Deployment
from flow_hitl.deployments.quotas import NO_USAGE, Usage
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.requests.opening.open_request import NewRequest, OpenRequest
from flow_hitl.requests.request import Request

WORKS, DOES_NOT = "It works", "Something is wrong"

_OUTPUT = """# This is how work to review looks

- what the flow made stands here, with **headings**, lists and tables;
- below it are one button per answer and the link to the review page."""


class NewTestRequest(Document):
    """The body of `POST test-request`."""

    to: Assignee
    """Who gets the test: an email address, or `group:<name>`."""


@dataclass(frozen=True)
class SendTestRequest:
    """Open a test request by the way of every other; `actor` is who its first audit event names.

    `used` is what the deployment has used of its quotas, to which a test is added like any request.
    """

    open_request: OpenRequest
    audit: AuditLog

    def __call__(
        self,
        deployment: Deployment,
        wish: NewTestRequest,
        call: Call | None = None,
        *,
        used: Usage = NO_USAGE,
        actor: str = OPERATOR,
    ) -> Request:
        """Return the request, which the clock never answers.

        Raises ValidationFailed for somebody who may not be asked, and RateLimited when a quota is used up.
        """
        refusal = deployment.refusal_of(wish.to)
        if refusal:
            refuse([FieldError("/to", refusal)])
        test = NewRequest(
            flow_id="test",
            method_name="test_request",
            message=(
                f'Please answer this test of the deployment "{deployment.name}": reply to the mail, or use the review '
                "page. That shows that its mails arrive and that answers come back. No flow is waiting."
            ),
            output=_OUTPUT,
            emit_options=[WORKS, DOES_NOT],
            assigned_to_email=wish.to,
            auto_response=None,
        )
        return self.open_request.open(deployment, test, call, opened_by=actor, used=used, test=wish).request

    def timeline(self, request_id: str) -> Sequence[AuditEvent]:
        """Return what has become of a test request so far, in order."""
        return self.audit.timeline(request_id)
