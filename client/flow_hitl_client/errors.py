"""The client's errors; `FlowHitlClientError` is the base of all."""

from typing import ClassVar

from flow_hitl_client.types import Problem, Request

_TYPE_PREFIX = "urn:flow-hitl:problem:"
_TOO_MANY_REQUESTS = 429


class FlowHitlClientError(Exception):
    """The base of every error of this package."""


class NotConfigured(FlowHitlClientError):
    """The server's URL or the API key is missing."""


class ServerUnreachable(FlowHitlClientError):
    """No answer came after all retries; the cause is the exception of `requests`."""


class StillPending(FlowHitlClientError):
    """Nobody answered before the timeout; `request` is the current state."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"request {request['id']} is still waiting for {request['assigned_to_email']}")
        self.request = request


class ProblemError(FlowHitlClientError):
    """The server refused; `problem` is its problem document.

    Each problem type of the API has a subclass. Anything else, such as a gateway's own page, is raised as this class
    with a document of the type `about:blank`.
    """

    slug: ClassVar[str] = ""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem['status']} {problem['title']}: {problem['detail']}")
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem["status"]


class Unauthorized(ProblemError):
    """The API key is missing, wrong, expired, or revoked."""

    slug = "unauthorized"


class Forbidden(ProblemError):
    """The API key lacks a permission."""

    slug = "forbidden"


class NotFound(ProblemError):
    """There is no such request in this deployment."""

    slug = "not-found"


class AlreadyResponded(ProblemError):
    """The request is already decided; `problem` has `responded_via`, `responded_at` and `outcome`."""

    slug = "already-responded"


class NotPending(ProblemError):
    """The request was closed without an answer; `problem` has `request_status`."""

    slug = "not-pending"


class AlreadyResumed(ProblemError):
    """Someone else has claimed the resumption of this request's flow."""

    slug = "already-resumed"


class NoQuestion(ProblemError):
    """No question is open: none was asked, or it has been answered."""

    slug = "no-question"


class QuestionsOff(ProblemError):
    """The request takes no questions, or no more of them."""

    slug = "questions-off"


class Expired(ProblemError):
    """The link or token has expired."""

    slug = "expired"


class PreconditionFailed(ProblemError):
    """The resource was changed since it was read."""

    slug = "precondition-failed"


class PreconditionRequired(ProblemError):
    """The change needs an `If-Match` header."""

    slug = "precondition-required"


class TooLarge(ProblemError):
    """The body is over 1 MiB, attachments aside."""

    slug = "too-large"


class ValidationFailed(ProblemError):
    """One or more fields are wrong; `problem["errors"]` names each."""

    slug = "validation"


class IdempotencyMismatch(ProblemError):
    """The request id was already used for another request."""

    slug = "idempotency-mismatch"


class RateLimited(ProblemError):
    """Too many calls, even after retries: `problem["quota"]` names the deployment's quota that is used up.

    It is missing where API Gateway throttles all calls together.
    """

    slug = "rate-limited"

    @property
    def retry_after(self) -> int | None:
        """The seconds to wait, or None if the server did not say."""
        return self.problem.get("retry_after")


_BY_TYPE = {_TYPE_PREFIX + error.slug: error for error in ProblemError.__subclasses__()}


def problem_error(problem: Problem) -> ProblemError:
    """Return the exception for a problem document."""
    # API Gateway's own 429 has no problem type.
    otherwise = RateLimited if problem["status"] == _TOO_MANY_REQUESTS else ProblemError
    return _BY_TYPE.get(problem["type"], otherwise)(problem)
