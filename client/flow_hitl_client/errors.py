"""Everything that can go wrong on the flows' side. Catch `FlowHitlClientError` for all of it."""

from typing import ClassVar

from flow_hitl_client.types import Problem, Request

_TYPE_PREFIX = "urn:flow-hitl:problem:"
_TOO_MANY_REQUESTS = 429


class FlowHitlClientError(Exception):
    """Base of every error that this package raises on purpose."""


class NotConfigured(FlowHitlClientError):
    """The address of the server or the API key is missing."""


class ServerUnreachable(FlowHitlClientError):
    """No answer came, after all retries; the cause is the exception of `requests`."""


class StillPending(FlowHitlClientError):
    """Nobody answered within the time that the caller wanted to wait; `request` is its current state."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"request {request['id']} still waits for {request['assigned_to_email']}")
        self.request = request


class ProblemError(FlowHitlClientError):
    """The server refused; `problem` is its problem document.

    The subclasses are the problems that the contract names. Anything else, such as a gateway's own page, is raised
    as this class itself with a document of the type `about:blank`.
    """

    slug: ClassVar[str] = ""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem['status']} {problem['title']}: {problem['detail']}")
        self.problem = problem

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self.problem["status"]


class Unauthorized(ProblemError):
    """The API key is missing, wrong, expired or revoked."""

    slug = "unauthorized"


class Forbidden(ProblemError):
    """The API key lacks a permission."""

    slug = "forbidden"


class NotFound(ProblemError):
    """There is no such request in this deployment."""

    slug = "not-found"


class AlreadyResponded(ProblemError):
    """The request was decided before; `problem` has `responded_via`, `responded_at` and `outcome`."""

    slug = "already-responded"


class NotPending(ProblemError):
    """The request is closed without an answer; `problem` has `request_status`."""

    slug = "not-pending"


class AlreadyResumed(ProblemError):
    """Somebody else has claimed the resumption of this request's flow."""

    slug = "already-resumed"


class Expired(ProblemError):
    """The link or token is out of date."""

    slug = "expired"


class PreconditionFailed(ProblemError):
    """What is to be changed was changed since it was read."""

    slug = "precondition-failed"


class PreconditionRequired(ProblemError):
    """The change does not say by `If-Match` which state it is of."""

    slug = "precondition-required"


class TooLarge(ProblemError):
    """The body is over 1 MiB."""

    slug = "too-large"


class ValidationFailed(ProblemError):
    """One or more fields are wrong; `problem["errors"]` names each."""

    slug = "validation"


class IdempotencyMismatch(ProblemError):
    """The request id was used before, for another question."""

    slug = "idempotency-mismatch"


class RateLimited(ProblemError):
    """Too many calls, also after the retries: `problem["quota"]` names the deployment's quota that is used up.

    It has none where API Gateway, in front of the server, throttles all calls together.
    """

    slug = "rate-limited"

    @property
    def retry_after(self) -> int | None:
        """Return the seconds after which there is room again, or None if the server did not say."""
        return self.problem.get("retry_after")


_BY_TYPE = {_TYPE_PREFIX + error.slug: error for error in ProblemError.__subclasses__()}


def problem_error(problem: Problem) -> ProblemError:
    """Return the exception for a problem document, of the class that its `type` names."""
    # API Gateway throttles in words of its own.
    otherwise = RateLimited if problem["status"] == _TOO_MANY_REQUESTS else ProblemError
    return _BY_TYPE.get(problem["type"], otherwise)(problem)
