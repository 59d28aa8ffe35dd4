"""A manager has an answer sent to its flow again: at once, and with all the attempts that a new answer has."""

from dataclasses import dataclass

from flow_hitl.people.access import Action, SignedInMember, actor_name, authorize
from flow_hitl.platform.errors import NothingToResume
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Request, retry_resume


@dataclass(frozen=True)
class RetryResume:
    """What follows from the event is the resumption of any answer; what was on its way until then is void."""

    requests: RequestStore
    change_request: ChangeRequest

    def __call__(self, member: SignedInMember, request_id: str) -> Request:
        """Return the request; while a retry is under way, a second one adds nothing.

        Raises NotFound, Forbidden, NotPending for a request without an answer, and NothingToResume.
        """
        request = self.requests.load(request_id)
        authorize(member, Action.RETRY_RESUME, request.head)
        if request.content.resume_url is None:
            raise NothingToResume("This request has no resume_url: its flow fetches the answer itself.")

        return self.change_request(request_id, retry_resume, actor=actor_name(member))
