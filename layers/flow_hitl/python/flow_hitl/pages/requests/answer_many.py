"""Several requests answered alike: listed on one page, confirmed once, and each decided by the one door."""

from collections.abc import Sequence

from flow_hitl.contract.shapes import Channel
from flow_hitl.pages.contexts import AnswersOption, AnswersPage, AnswersRow, Shell
from flow_hitl.pages.requests.pages import by_session
from flow_hitl.people.access import SignedInMember
from flow_hitl.people.sign_in_rules import Session
from flow_hitl.platform.errors import FlowHitlError, ValidationFailed
from flow_hitl.platform.ports import Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding.record_response import RecordResponse, Submission
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.reading.list_rows import RequestRow
from flow_hitl.requests.reading.read_as_logged import ReadAsLogged
from flow_hitl.requests.request import Head, Status
from flow_hitl.requests.wording import option_shown

MOST_AT_ONCE = 50


@dataclass(frozen=True)
class AnswerMany:
    """List what a person selected with the options that all have, and answer all of it with one of them."""

    requests: RequestStore
    as_logged: ReadAsLogged
    record_response: RecordResponse
    ids: Ids

    def ask(self, member: SignedInMember, shell: Shell, request_ids: Sequence[str], comment: str = "") -> AnswersPage:
        """Return the page to confirm; what the person may not answer (any more) is listed with why, and left out."""
        heads = self._theirs(member, request_ids)
        rows = [_row(head, None if head.status is Status.PENDING else "It is closed.") for head in heads]
        open_heads = [head for head in heads if head.status is Status.PENDING]
        return AnswersPage(shell=shell, rows=rows, options=_common(open_heads), comment=comment)

    def answer(
        self,
        member: SignedInMember,
        session: Session,
        shell: Shell,
        request_ids: Sequence[str],
        outcome: str,
        comment: str,
    ) -> AnswersPage:
        """Answer each; return the page with what became of each."""
        rows = []
        for head in self._theirs(member, request_ids):
            responder = member.responder_of(head)
            submission = Submission(
                request_id=head.request_id,
                actor=member,
                via=Channel.DASHBOARD,
                decision_id=f"page/{self.ids.event_id()}",
                text=f"{outcome}\n{comment}",
                outcome=outcome,
                responder=responder,
                responder_verified=True,
                verification=by_session(member, session),
                deployment=member.deployment,
            )
            try:
                self.record_response(submission, self.as_logged(head))
            except ValidationFailed as refused:
                rows.append(_row(head, _why(refused)))
            except FlowHitlError as refused:
                rows.append(_row(head, refused.detail))
            else:
                rows.append(_row(head))
        return AnswersPage(shell=shell, rows=rows, outcome=outcome, comment=comment)

    def _theirs(self, member: SignedInMember, request_ids: Sequence[str]) -> Sequence[Head]:
        """Return the heads of those that a person is asked, in the order of the list."""
        wanted = list(dict.fromkeys(request_ids))[:MOST_AT_ONCE]
        found = self.requests.heads(wanted)
        own_deployment = member.deployment.deployment_id
        return [
            found[one]
            for one in wanted
            if one in found
            and found[one].deployment_id == own_deployment
            and member.responder_of(found[one]) is not None
        ]


def _common(heads: Sequence[Head]) -> Sequence[AnswersOption]:
    """Return the options that all have, in the order of the first."""
    if not heads:
        return ()
    first = heads[0]
    common = [value for value in first.emit_options if all(value in head.emit_options for head in heads)]
    return [
        AnswersOption(value=value, label=first.labels.get(value) or plain.label, tone=plain.tone.value)
        for value, plain in ((value, option_shown(value, {})) for value in common)
    ]


def _why(refused: ValidationFailed) -> str:
    first = refused.errors[0]
    if first.field.startswith("/data"):
        return "It asks for more than a choice. Open it to fill in its fields."
    return f"The answer {first.message}."


def _row(head: Head, problem: str | None = None) -> AnswersRow:
    row = RequestRow.of(head)
    return AnswersRow(
        request_id=head.request_id,
        address=f"/d/{head.deployment_id}/requests/{head.request_id}",
        title=row.title,
        message=row.message,
        flow_name=head.flow_name or "",
        problem=problem,
    )
