"""Read a request that is about to be decided, and hold it against its audit log."""

from flow_hitl.audit.ports import AuditLog
from flow_hitl.platform.errors import NotAsLogged
from flow_hitl.platform.ports import ReadTogether
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.bound import is_as_logged
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Head, Request


@dataclass(frozen=True)
class ReadAsLogged:
    """Read a request again, with its events up to where the caller saw it: one call."""

    requests: RequestStore
    audit: AuditLog
    read: ReadTogether

    def __call__(self, seen: Head) -> Request:
        """Return the request as it is now; raises NotAsLogged if it is as it was seen and the log says otherwise.

        One that has moved on since is not held against the log, which would cost a call more.
        """
        request_id = seen.request_id
        request, events = self.read(self.requests.reading(request_id), self.audit.reading_first(request_id, seen.seq))
        if request.head.seq == seen.seq and not is_as_logged(request, events):
            raise NotAsLogged
        return request
