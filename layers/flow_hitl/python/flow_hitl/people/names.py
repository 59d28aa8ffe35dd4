"""How the audit log's actors are named to people."""

from flow_hitl.contract.shapes import Channel

_BY = {
    Channel.EMAIL: "by email",
    Channel.DASHBOARD: "on the page",
    Channel.API: "through the API",
    Channel.AUTO_RESPONSE: "automatically",
}
_OURS = frozenset({"flow-hitl", "flow"})


def claimed(responder: str) -> str:
    """Return by whom an answer was, where only the program that gave it says so."""
    return f"by {responder} as its caller says, which is not proven"


def person_of(actor: str) -> str:
    """Return who an audit event names, as people write it; "" where it was the service or the flow itself."""
    if actor in _OURS:
        return ""
    kind, _, name = actor.partition("/")
    names = {
        "member": name,
        "api_key": f"a program (API key {name})",
        "operator": "the operator",
        Channel.API: "another application",
        Channel.AUTO_RESPONSE: "the clock",
    }
    return names.get(kind, actor)
