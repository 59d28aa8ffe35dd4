"""Everything that can be wrong with what a caller asked, each with what the caller should be told.

One hierarchy, mapped once to problem documents (`functions/http_api.py`) and once to emails
(`replies/ruling.py`). The slugs and status codes are the contract's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class FieldError:
    """One invalid field."""

    field: str
    """JSON pointer (RFC 6901) of the field, or `/` and a parameter's name; empty for the whole."""
    message: str
    """What the field must be."""


class FlowHitlError(Exception):
    """Base of every error that a caller may see; `detail` says what to do.

    `members` are the attributes that the problem document carries beside the usual four; the text below each in its
    class describes it.
    """

    slug: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    members: ClassVar[tuple[str, ...]] = ()

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def extra(self) -> Mapping[str, Any]:
        """Return the members with their values."""
        return {name: getattr(self, name) for name in self.members}


class MalformedJson(FlowHitlError):
    slug, status, title = "malformed-json", 400, "The body is not JSON"


class Unauthorized(FlowHitlError):
    slug, status, title = "unauthorized", 401, "Not authorized"


class Forbidden(FlowHitlError):
    slug, status, title = "forbidden", 403, "Not permitted"


class AssignedElsewhere(Forbidden):
    """The request asks somebody else, perhaps since this person passed it on."""

    def __init__(self) -> None:
        super().__init__("This request is assigned to another address.")


class SelfApproval(Forbidden):
    """Whoever asked for the request would answer it, and the deployment forbids that."""

    def __init__(self) -> None:
        super().__init__(
            "You asked for this request, and this deployment lets nobody approve what they asked for, or choose who "
            "does. A manager can reassign it."
        )


class UnprovenResponder(Forbidden):
    """Nothing proves that whoever asked is not the one who answers, and the deployment forbids that."""

    def __init__(self) -> None:
        super().__init__(
            "This deployment forbids self-approval, and a callback URL does not prove who answers. "
            "Answer by email, by the review link in it, or signed in on the dashboard."
        )


class NotAsLogged(Forbidden):
    """What is stored of the request is not what its audit log leads to: somebody has changed it, so nothing follows."""

    def __init__(
        self, what: str = "This request was changed in a way that its audit log does not know, so nothing was recorded."
    ) -> None:
        super().__init__(f"{what} Tell whoever runs this service.")


NEVER_WRITTEN = (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError)
"""What reading a record raises that this service has not written: NotAsLogged."""


class NotFound(FlowHitlError):
    slug, status, title = "not-found", 404, "Not found"


class AlreadyResponded(FlowHitlError):
    """The request was decided before."""

    slug, status, title = "already-responded", 409, "Already responded"
    members = ("responded_via", "responded_at", "outcome")
    responded_via: str
    """How the answer came."""
    responded_at: str
    """When it came."""
    outcome: str | None
    """The outcome that was chosen."""

    def __init__(self, detail: str, *, responded_via: str, responded_at: str, outcome: str | None) -> None:
        super().__init__(detail)
        self.responded_via, self.responded_at, self.outcome = responded_via, responded_at, outcome


class AnsweredAlike(AlreadyResponded):
    """The same person has given the same answer before, in another way or with another comment: it counts."""


class NotPending(FlowHitlError):
    """The request is closed without an answer."""

    slug, status, title = "not-pending", 409, "Not pending"
    members = ("request_status",)
    request_status: str
    """The request's status."""

    def __init__(self, detail: str, *, request_status: str) -> None:
        super().__init__(detail)
        self.request_status = request_status


class AlreadyResumed(FlowHitlError):
    """Somebody else resumes the flow, or has."""

    slug, status, title = "already-resumed", 409, "Already resumed"


class NothingToResume(FlowHitlError):
    """The flow has its answer, or fetches it itself: there is nothing to send again."""

    slug, status, title = "nothing-to-resume", 409, "Nothing to resume"


class NoQuestion(FlowHitlError):
    """No question is open: none was asked, or it has been answered."""

    slug, status, title = "no-question", 409, "No open question"


class QuestionsOff(FlowHitlError):
    """The request takes no questions, or no more of them."""

    slug, status, title = "questions-off", 409, "No questions"


class Expired(FlowHitlError):
    slug, status, title = "expired", 410, "Expired"


class DelegationOff(Forbidden):
    """The deployment does not let its responders pass a request on."""


class PreconditionFailed(FlowHitlError):
    slug, status, title = "precondition-failed", 412, "Changed by somebody else"


class PreconditionRequired(FlowHitlError):
    """A change does not say which state it is of, so nobody can tell what it would undo."""

    slug, status, title = "precondition-required", 428, "If-Match is missing"


class TooLarge(FlowHitlError):
    slug, status, title = "too-large", 413, "Too large"


class ValidationFailed(FlowHitlError):
    """One or more fields are wrong."""

    slug, status, title = "validation", 422, "Validation failed"
    members = ("errors",)
    errors: Sequence[FieldError]
    """Each field that is wrong."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field or '/'}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class IdempotencyMismatch(FlowHitlError):
    slug, status, title = "idempotency-mismatch", 422, "The same key was used for another request"


class RateLimited(FlowHitlError):
    """A quota is used up."""

    slug, status, title = "rate-limited", 429, "Too many requests"
    members = ("quota", "limit", "retry_after")
    quota: str
    """Which quota it is."""
    limit: int
    """How much it allows."""
    retry_after: int
    """Seconds after which there is room again."""

    def __init__(self, detail: str, *, quota: str, limit: int, retry_after: int) -> None:
        super().__init__(detail)
        self.quota, self.limit, self.retry_after = quota, limit, retry_after


class Internal(FlowHitlError):
    """Something went wrong on our side."""

    slug, status, title = "internal", 500, "Internal error"

    def __init__(self) -> None:
        super().__init__(
            "No partial change was saved. Send the same request again; an id or Idempotency-Key makes that safe."
        )


class Conflict(Exception):
    """Somebody else changed the request between our read and our write: read again and decide anew."""


class TokenError(FlowHitlError):
    """Base of what can be wrong with a signed token."""


class TokenInvalid(TokenError, Unauthorized):
    """The token was altered, cut, made for another purpose or signed with a key that is gone."""


class TokenExpired(TokenError, Expired):
    """The token is genuine and out of date; carries the request that it was for."""

    def __init__(self, detail: str, *, request_id: str) -> None:
        super().__init__(detail)
        self.request_id = request_id


class WrongFields(ValidationFailed):
    """The typed values that a person wrote are missing or wrong; `problems` says how, by name of the field."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__([FieldError(f"/data/{name}", problem) for name, problem in problems.items()])
        self.problems = problems


class NotAnOption(ValidationFailed):
    """The first line names no emit option, and the answer is not taken as free text.

    `first_line` is that line, `meant` the option that exactly one later line names, if that is why.
    """

    def __init__(self, options: Sequence[str], first_line: str, meant: str | None) -> None:
        problem = f"must have one of these as its first line: {', '.join(options)}"
        hint = f'; did you mean "{meant}", which stands further down? Then send that line first' if meant else ""
        super().__init__([FieldError("/feedback", problem + hint)])
        self.first_line, self.meant = first_line, meant


class CommentMissing(ValidationFailed):
    """The option needs a comment, and the answer has none."""

    def __init__(self, outcome: str, label: str) -> None:
        problem = f'must have a comment below its first line: "{label}" needs one'
        super().__init__([FieldError("/feedback", problem)])
        self.outcome, self.label = outcome, label
