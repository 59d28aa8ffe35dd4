"""Changes a deployment's configuration from a form, without overwriting what others changed meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.ports import AuditLog
from flow_hitl.contract.etags import etag
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.manage_deployments import ManageDeployments
from flow_hitl.pages.settings.change_lines import lines_of
from flow_hitl.pages.settings.view import FilledForm, OthersChange
from flow_hitl.people.names import person_of
from flow_hitl.platform.errors import FieldError, PreconditionFailed, ValidationFailed
from flow_hitl.platform.records import dataclass

_MOST_EVENTS = 50
_Saved = TypeVar("_Saved")


def form_from(deployment: Deployment, document: Any, fields: Mapping[str, str]) -> FilledForm:
    """Return a form for a document of the deployment."""
    return FilledForm(fields=fields, etag=etag(document), seen=deployment.audit_seq)


def require_unchanged(typed: FilledForm, document: Any) -> None:
    """Raise PreconditionFailed unless a form was made from this document."""
    if typed.etag != etag(document):
        raise PreconditionFailed("This was changed since the form was opened.")


def of_kinds(*kinds: EventKind) -> Callable[[AuditEvent], bool]:
    """Return the test for events of these kinds."""
    return lambda event: event.kind in kinds


@dataclass(frozen=True)
class EditByForm:
    manage: ManageDeployments
    audit: AuditLog

    def __call__(
        self,
        deployment: Deployment,
        typed: FilledForm,
        save: Callable[[], _Saved],
        *,
        anew: Callable[[Deployment, Mapping[str, str]], FilledForm],
        blame: Callable[[FieldError], tuple[str, str]],
        about: Callable[[AuditEvent], bool],
        only: Sequence[str] = (),
    ) -> _Saved | FilledForm:
        """Return what `save` returns, else the form with what is wrong or what others changed meanwhile.

        `save` raises ValidationFailed, and PreconditionFailed if the form's ETag is outdated. `anew` makes the form
        from a deployment and what was typed. `blame` returns a field of the form and what is wrong there. `about` picks
        the audit events of the document, `only` the members of the settings document (all by default).
        """
        try:
            return save()
        except ValidationFailed as refused:
            # The first problem of each field wins.
            return replace(typed, problems=dict(map(blame, reversed(refused.errors))))
        except PreconditionFailed:
            form = anew(deployment, typed.fields)
            if form.etag == typed.etag:
                # It was changed after this call read the deployment.
                form = anew(self.manage.show(deployment.deployment_id), typed.fields)
            events = self.audit.changes(deployment.deployment_id, typed.seen, _MOST_EVENTS)
            told = [(event, lines_of(event, only)) for event in events if about(event)]
            others = [
                OthersChange(at=event.at, by=person_of(event.actor), lines=lines) for event, lines in told if lines
            ]
            return replace(form, conflict=True, others=others)
