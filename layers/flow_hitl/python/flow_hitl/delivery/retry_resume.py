"""A manager resends an answer to its flow: immediately, with a full set of attempts."""

from flow_hitl.people.access import Action, SignedInMember, actor_name, authorize
from flow_hitl.platform.errors import NothingToResume
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Request, retry_resume


@dataclass(frozen=True)
class RetryResume:
    """Record the retry; its event resumes the flow like a new answer, and voids what was on its way."""

    requests: RequestStore
    change_request: ChangeRequest

    def __call__(self, member: SignedInMember, request_id: str) -> Request:
        """Return the request; a second retry while one is running adds nothing.

        Raises NotFound, Forbidden, NotPending for an unanswered request, and NothingToResume.
        """
        request = self.requests.load(request_id)
        authorize(member, Action.RETRY_RESUME, request.head)
        if request.content.resume_url is None:
            raise NothingToResume("This request has no resume_url: its flow fetches the answer itself.")

        return self.change_request(request_id, retry_resume, actor=actor_name(member))
