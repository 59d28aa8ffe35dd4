"""Who was a member of a deployment, and which API keys there were, by its chain.

Whoever acts without having been one was put into the configuration behind the log's back, and taken out again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flow_hitl.audit.chain import EventKind, data_of
from flow_hitl.deployments.deployment import Permission
from flow_hitl.people.access import Action, key_may, manager_may
from flow_hitl.platform.address import address_key
from flow_hitl.platform.times import parse_rfc3339

# From the check of a right until the event of what was done by it; and a second's fraction is in no event.
_LATE = timedelta(minutes=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_CREATORS: Set[str] = frozenset({Permission.MANAGE.value})
_ACTIONS = {
    EventKind.REQUEST_CANCELLED.value: Action.CANCEL,
    EventKind.REQUEST_REASSIGNED.value: Action.REASSIGN,
    EventKind.RESUME_REPORTED.value: Action.REPORT_RESUME,
    EventKind.RESUME_RETRIED.value: Action.RETRY_RESUME,
    EventKind.QUESTION_ANSWERED.value: Action.ANSWER_QUESTION,
}


class _Right(NamedTuple):
    """What an actor may do for a time."""

    since: datetime
    until: datetime
    permissions: Set[str]


class KnownActors:
    """The members, with their aliases, and the API keys of a deployment, each with the times of their rights."""

    def __init__(self, chain: Iterable[Mapping[str, Any]], creator_email: str | None) -> None:
        creator = _member(creator_email) if creator_email is not None else None
        self._rights: dict[str, list[_Right]] = {}
        if creator is not None:
            self._rights[creator] = [_Right(_FIRST, _LAST, _CREATORS)]
        for actors, right in _rights(chain, creator):
            for actor in actors:
                self._rights.setdefault(actor, []).append(right)

    def may(self, event: Mapping[str, Any]) -> bool:
        """Tell whether the member or the API key that an event of a request names could do then what it says."""
        actor, action = str(event.get("actor")), _ACTIONS.get(str(event.get("kind")))
        who, _, name = actor.partition("/")
        if action is None or who not in ("member", "api_key"):
            return True
        is_key = who == "api_key"
        known, allowed = (actor, key_may) if is_key else (_member(name), manager_may)
        return allowed(self._permissions(known, event), action)

    def _permissions(self, actor: str, event: Mapping[str, Any]) -> frozenset[Permission]:
        try:
            at = parse_rfc3339(str(event.get("at")))
        except ValueError:
            # That is found by itself.
            return frozenset(Permission)
        rights = (
            right for right in self._rights.get(actor, ()) if right.since - at <= _LATE and at - right.until <= _LATE
        )
        return frozenset(one for right in rights for one in Permission if one.value in right.permissions)


def _rights(chain: Iterable[Mapping[str, Any]], creator: str | None) -> Iterator[tuple[Set[str], _Right]]:
    """Yield the names of each actor with what they may do, from the event that says so until the next one."""
    # By member or key: their names, since when, until when at most, and what they may.
    now: dict[str, tuple[Set[str], _Right]] = {}
    for event in chain:
        naming, data, at = _NAMED.get(str(event.get("kind"))), data_of(event), _moment(event.get("at"), _FIRST)
        for said, stays in ((data.get("before"), False), (data.get("after"), True)):
            if naming is None or not isinstance(said, Mapping):
                continue
            subject, names = naming(said)
            if subject in now:
                before, right = now.pop(subject)
                yield before, right._replace(until=min(right.until, at))
            if stays:
                until, permissions = _moment(said.get("expires_at"), _LAST), _texts(said.get("permissions"))
                # Also by an alias, as which only a member is known.
                now[subject] = names, _Right(at, until, permissions | (_CREATORS if subject == creator else set()))
    yield from now.values()


def _of_member(said: Mapping[str, Any]) -> tuple[str, Set[str]]:
    names = {_member(str(said.get("email"))), *map(_member, _texts(said.get("aliases")))}
    return _member(str(said.get("email"))), names


def _of_key(said: Mapping[str, Any]) -> tuple[str, Set[str]]:
    name = f"api_key/{said.get('id')}"
    return name, {name}


# What returns what a right is kept by, and the names that its actor has in events.
_NAMED: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, Set[str]]]] = {
    EventKind.MEMBER_SET.value: _of_member,
    EventKind.MEMBER_REMOVED.value: _of_member,
    EventKind.API_KEY_ISSUED.value: _of_key,
    EventKind.API_KEY_REVOKED.value: _of_key,
}


def _member(email: str) -> str:
    return f"member/{address_key(email)}"


def _texts(found: object) -> Set[str]:
    return frozenset(map(str, found)) if isinstance(found, list | tuple) else frozenset()


def _moment(text: object, otherwise: datetime) -> datetime:
    with suppress(ValueError):
        return parse_rfc3339(str(text))
    return otherwise
