"""The managers' audit page: some days of a deployment's log, verified and exported on demand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flow_hitl.audit.read_audit import Range, ReadAudit
from flow_hitl.pages.audit.view import AuditPage, VerificationView, address_query, audit_rows, export_row, findings_view
from flow_hitl.pages.contexts import Shell
from flow_hitl.people.access import Action, SignedInMember, actor_name, authorize
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.export_audit import ExportWish, ManageExports
from flow_hitl.proof.verify_audit import LogFinding
from flow_hitl.proof.verify_log import VerifyAuditLog

_DAYS_AT_FIRST = 7
_ROWS = 50
_EXPORTS = 10
# API Gateway waits for 30 seconds.
_VERIFY_FOR = timedelta(seconds=15)
_FIELDS = {"/from": "The first day", "/to": "The last day", "/cursor": "The position in the log"}


@dataclass(frozen=True)
class Days:
    """Whole days in UTC, both included."""

    first: date
    last: date

    @property
    def range(self) -> Range:
        begin = datetime.combine(self.first, time(), UTC)
        return Range(begin, datetime.combine(self.last, time(), UTC) + timedelta(days=1))


@dataclass(frozen=True)
class AuditPages:
    """Show, verify, and export some days of a deployment's log; all raise Forbidden unless the member manages it."""

    read: ReadAudit
    verify: VerifyAuditLog
    exports: ManageExports
    clock: Clock

    def page(self, member: SignedInMember, shell: Shell, asked: Mapping[str, str]) -> AuditPage:
        """Return the page for the query parameters `from`, `to`, and `cursor`."""
        deployment_id = self._enter(member)
        try:
            days = self.days(asked)
            found = self.read.page(deployment_id, days.range, _ROWS, asked.get("cursor"))
        except ValidationFailed as refused:
            return replace(self.page(member, shell, {}), problem=_sentence(refused.errors[0]))
        exports = [export_row(one, self.exports.links(one)) for one in self.exports.recent(deployment_id, _EXPORTS)]
        onward = address_query(days.first, days.last, cursor=found.next_cursor) if found.next_cursor else None
        return AuditPage(
            shell=shell,
            first=days.first,
            last=days.last,
            rows=audit_rows(found.events),
            onward=onward,
            is_first=not asked.get("cursor"),
            exports=exports,
        )

    def verified(self, member: SignedInMember, shell: Shell, asked: Mapping[str, str]) -> AuditPage:
        """Return the page with what verifying its days finds in the time available, from the cursor `place` on."""
        deployment_id = self._enter(member)
        shown = self.page(member, shell, {name: asked[name] for name in ("from", "to") if name in asked})
        if shown.problem:
            return shown
        stop_at, wanted = self.clock.now() + _VERIFY_FOR, Days(shown.first, shown.last).range
        findings: list[LogFinding] = []
        events, digests, unsealed = (_count(asked.get(name)) for name in ("events", "digests", "unsealed"))
        sealed_until, cursor = None, asked.get("place")
        try:
            while True:
                part = self.verify(deployment_id, wanted, cursor)
                findings += part.findings
                events, digests, cursor = events + part.events, digests + part.digests, part.next_cursor
                unsealed += part.unsealed
                sealed_until = part.sealed_until or sealed_until
                if cursor is None or self.clock.now() >= stop_at:
                    break
        except ValidationFailed as refused:
            return replace(shown, problem=_sentence(refused.errors[0]))
        counted = {"events": events, "digests": digests, "unsealed": unsealed}
        onward = address_query(shown.first, shown.last, place=cursor, **counted) if cursor else None
        view = VerificationView(
            findings=findings_view(findings),
            events=events,
            digests=digests,
            sealed_until=parse_rfc3339(sealed_until) if sealed_until else None,
            unsealed=unsealed,
            onward=onward,
        )
        return replace(shown, verification=view)

    def export(self, member: SignedInMember, form: Mapping[str, str]) -> Days:
        """Start an export of the days in a form, and return them; raises ValidationFailed."""
        deployment_id, days = self._enter(member), self.days(form)
        wanted = days.range
        wish: dict[str, Any] = {"from": rfc3339(wanted.since), "to": rfc3339(wanted.to)}
        wish["format"] = "csv" if form.get("format") == "csv" else "jsonl"
        self.exports.start(deployment_id, ExportWish.model_validate(wish), actor=actor_name(member))
        return days

    def days(self, asked: Mapping[str, str]) -> Days:
        """Return the requested days, by default the latest; raises ValidationFailed."""
        today = self.clock.now().date()
        last = _day(asked, "to") or today
        first = _day(asked, "from") or last - timedelta(days=_DAYS_AT_FIRST - 1)
        if first > last:
            raise ValidationFailed([FieldError("/from", "must not be after the last")])
        return Days(first, last)

    def _enter(self, member: SignedInMember) -> int:
        authorize(member, Action.CONFIGURE)
        return member.deployment.deployment_id


def _day(asked: Mapping[str, str], name: str) -> date | None:
    text = asked.get(name)
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        found = date.min
    if found is not None and not 2000 <= found.year < 2100:
        raise ValidationFailed([FieldError(f"/{name}", "must be a day such as 2027-01-31")])
    return found


def _count(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _sentence(error: FieldError) -> str:
    return f"{_FIELDS.get(error.field, 'What was asked for')} {error.message}. These are the latest days."
