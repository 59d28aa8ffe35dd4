"""What AWS does between the functions: route calls, feed the stream, work the queues, and fire schedules."""

import base64
import importlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import functions as handlers
from infra.local.hitl_fixture.clock import TurnedClock
from infra.local.hitl_fixture.seen import Answer, Mail
from infra.local.hitl_fixture.stack import ACCOUNT, REGION, WORK_QUEUES, dead_letters, queue_url
from infra.tables import AUDIT, DEPLOYMENTS
from infra.topology import STREAM_READERS

MOST_ROUNDS = 1000


class BetweenFunctions:
    """One deployment on moto, with all that lies between its functions."""

    def __init__(self, clients: Mapping[str, Any], clock: TurnedClock, deployment_id: int, api_key: str) -> None:
        self._clients, self._relayed = clients, set[tuple[str, int]]()
        self._mail_ids: Iterator[int] = itertools.count(1)
        self._mails: list[Mail] = []
        self._swept_at = clock.now()
        # `seal` is in the test's hands: the sweep, which would ask for it after two hours, is not to look for it.
        self._sweep_watches_seal = False
        self.clock, self.deployment_id, self.api_key = clock, deployment_id, api_key

    def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "own",
        headers: Mapping[str, str] | None = None,
        raw: str | bytes | None = None,
    ) -> Answer:
        """Call the API; `path` may have a query, `key` is the API key (None: none), `raw` replaces the JSON body."""
        sent = {"content-type": "application/json", **{k.lower(): v for k, v in (headers or {}).items()}}
        if key is not None:
            sent["authorization"] = f"Bearer {self.api_key if key == 'own' else key}"
        text = json.dumps(body) if raw is None and body is not None else raw
        return self._http(method, path, text, sent)

    def measure(self) -> None:
        """Have figures stored, which otherwise never happens here: whoever asks for figures sees no difference."""
        self._clients["sqs"].send_message(QueueUrl=queue_url("measure"), MessageBody="{}")
        self._settle()

    def keep_retention(self) -> None:
        """Have erased what is due, as is done each hour."""
        self._clients["sqs"].send_message(QueueUrl=queue_url("retention"), MessageBody="{}")
        self._settle()

    def _http(
        self,
        method: str,
        path: str,
        body: str | bytes | None,
        headers: Mapping[str, str],
        *,
        cookies: Sequence[str] = (),
        source_ip: str = "203.0.113.7",
    ) -> Answer:
        from infra.routes import answering

        parts = urlsplit(path)
        encoded = isinstance(body, bytes)
        text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "headers": dict(headers),
            "cookies": list(cookies),
            "queryStringParameters": dict(parse_qsl(parts.query)),
            "requestContext": {
                "http": {"method": method, "path": parts.path, "sourceIp": source_ip},
                "stage": "$default",
                "requestId": "test",
            },
            "body": text,
            "isBase64Encoded": encoded,
        }
        function = answering(method, parts.path)
        answer = self._function(function)(event, lambda_context(function))
        self._settle()
        text = answer.get("body") or ""
        return Answer(answer["statusCode"], answer.get("headers", {}), text, answer.get("cookies", ()))

    def _settle(self) -> None:
        """Run the stream and the queues until nothing is left to do now."""
        for _ in range(MOST_ROUNDS):
            if not self._relay_new_events() and not self._work_queues():
                return
        raise AssertionError("the queues never came to rest")

    def _relay_new_events(self) -> bool:
        from moto.dynamodb.models import dynamodb_backends

        from flow_hitl.bootstrap import current

        audit_table = current().settings.audit_table
        # Not by a scan, which takes moto longer than all the rest of a handler.
        chains = dynamodb_backends[ACCOUNT][REGION].tables[audit_table].items
        # Events are only added, so their number tells whether there are new ones.
        if sum(map(len, chains.values())) == len(self._relayed):
            return False
        fresh = [
            event.to_json()["Attributes"]
            for subject, chain in chains.items()
            for seq, event in chain.items()
            if (subject.value, int(seq.value)) not in self._relayed
        ]
        (reader,) = STREAM_READERS
        heard = [item for item in fresh if item.get("kind", {}).get("S") not in reader.unheard]
        self._relayed.update(_event_key(item) for item in fresh if item not in heard)
        if heard:
            heard.sort(key=lambda item: (item["at"]["S"], *_event_key(item)))
            records = [
                {
                    "eventSource": "aws:dynamodb",
                    "eventName": "INSERT",
                    "eventID": str(number),
                    "dynamodb": {"NewImage": item},
                }
                for number, item in enumerate(heard)
            ]
            self._deliver(reader.name, records)
            # Only now: a relay that died gets the same records again.
            self._relayed.update(map(_event_key, heard))
        return bool(heard)

    def _work_queues(self) -> bool:
        worked = [self._work_queue(name) for name in WORK_QUEUES]
        return any(worked)

    def _work_queue(self, name: str) -> bool:
        if not self._has_message(name):
            return False
        # Not by calls, which take moto longer than what they do.
        moto = _sqs()
        messages = moto.receive_message(name, 10, 0, moto.get_queue(name).visibility_timeout, ["All"])
        for message in messages:
            record = sqs_record(
                message.id,
                message.body,
                receipt_handle=message.receipt_handle,
                receive_count=str(message.approximate_receive_count),
                attributes=message.message_attributes,
            )
            failures = self._deliver(WORK_QUEUES[name].worker, [record])
            if not failures:
                _sqs().delete_message(name, message.receipt_handle)
        return bool(messages)

    def _take_in(self, queue: str, body: str) -> None:
        """Have a queue's worker take a message that comes from outside, and let follow what follows."""
        self._clients["sqs"].send_message(QueueUrl=queue_url(queue), MessageBody=body)
        self._work_queue(queue)
        self._settle()

    def _has_message(self, queue: str) -> bool:
        return bool(_sqs().queues[queue].messages)

    def _deliver(self, function: str, records: list[dict[str, Any]]) -> list[Any]:
        result = self._function(function)({"Records": records}, lambda_context(function))
        failures: list[Any] = (result or {}).get("batchItemFailures", [])
        return failures

    def _function(self, name: str) -> Callable[[Any, Any], Any]:
        handler: Callable[[Any, Any], Any] = importlib.import_module(f"{handlers.__name__}.{name}").handler
        return handler

    def sweep(self) -> None:
        """Run the sweep; `advance` does so by itself, at each full five minutes at which there is something to see.

        The other runs, which would have moved nothing but the watermark, are left out.
        """
        from dataclasses import replace

        from flow_hitl.bootstrap import current
        from flow_hitl.sweep.looks import SETTLED_AFTER

        marks, now = current().run_sweep.marks, self.clock.now().replace(microsecond=0)
        mark, unseen = marks.load(), self._unseen()
        idle_until = min(unseen or now, now - SETTLED_AFTER)
        if mark is not None:
            unsealed = mark.unsealed if self._sweep_watches_seal else None
            idle = replace(mark, looked_until=max(mark.looked_until, idle_until), unsealed=unsealed)
            if idle != mark:
                marks.save(idle.written())
        self._swept_at = self.clock.now()
        # By then they are counted, if nothing is wrong.
        self.measure()
        self._clients["sqs"].send_message(QueueUrl=queue_url("sweep"), MessageBody="{}")
        self._settle()

    def _next_sweep(self) -> datetime | None:
        from flow_hitl.sweep.looks import SETTLED_AFTER

        unseen, due = self._unseen(), [*self._dead_letters_due(), *self._agenda_due(), *self._seal_due()]
        if unseen is not None:
            due.append(unseen + SETTLED_AFTER + timedelta(seconds=1))
        return _full_five_minutes(max(min(due), self._swept_at + timedelta(seconds=1))) if due else None

    def _dead_letters_due(self) -> Iterator[datetime]:
        """Yield when each dead letter goes back by itself."""
        from flow_hitl.delivery.dead_letters import GOING_BACK, MOVES, DeadLetter

        queues = _sqs().queues
        for name in GOING_BACK:
            for message in queues[dead_letters(name)]._messages:
                sent_at = datetime.fromtimestamp(float(str(message.sent_timestamp)) / 1000, UTC)
                moves = int(message.message_attributes.get(MOVES, {}).get("StringValue", 0))
                goes_at = DeadLetter(name, "", "", sent_at, moves).goes_at
                if goes_at is not None:
                    yield goes_at

    def _agenda_due(self) -> Iterator[datetime]:
        """Yield when each entry of the sweep's agenda comes due."""
        from moto.dynamodb.models import dynamodb_backends

        kept = dynamodb_backends[ACCOUNT][REGION].tables[DEPLOYMENTS.name].items
        for pk, entries in kept.items():
            if str(pk.value).startswith("agenda#"):
                yield from (datetime.fromisoformat(str(sk.value).partition("#")[0]) for sk in entries)

    def _seal_due(self) -> Iterator[datetime]:
        """Yield when the sweep looks for a digest next."""
        unsealed = (self._watermark() or {}).get("unsealed")
        if unsealed and self._sweep_watches_seal:
            from flow_hitl.sweep.unsealed import Unsealed

            moments = {name: datetime.fromisoformat(at) for name, at in unsealed.items() if at}
            yield Unsealed(**moments).due_at

    def _watermark(self) -> dict[str, Any] | None:
        from moto.dynamodb.models import dynamodb_backends
        from moto.dynamodb.models.dynamo_type import DynamoType

        # Not by reading as the sweep does, which takes moto longer than all the rest.
        table = dynamodb_backends[ACCOUNT][REGION].tables[DEPLOYMENTS.name]
        found = table.get_item(DynamoType({"S": "sweep"}), DynamoType({"S": "watermark"}))
        mark: dict[str, Any] | None = json.loads(found.attrs["doc"].value) if found else None
        return mark

    def _unseen(self) -> datetime | None:
        """Return the moment of the first event that the sweep has not looked at."""
        from moto.dynamodb.models import dynamodb_backends

        tables, mark = dynamodb_backends[ACCOUNT][REGION].tables, self._watermark()
        looked = mark["looked_until"][:19] if mark else ""
        times = (event.attrs["at"].value for chain in tables[AUDIT.name].items.values() for event in chain.values())
        unseen = min((at for at in times if at[:19] >= looked), default=None)
        return datetime.fromisoformat(unseen) if unseen else None

    def _coming(self) -> Iterator[datetime]:
        """Yield when each schedule, each hidden message, and the sweep comes due."""
        sweep = self._next_sweep()
        if sweep is not None:
            yield sweep
        for schedule in self._schedules():
            yield _schedule_time(schedule)
        for queue in _sqs().queues.values():
            for message in queue._messages:
                due = max(message.visible_at, message.delayed_until)
                moment = datetime.fromtimestamp(due / 1000, UTC) + timedelta(milliseconds=1)
                if not queue.name.endswith("-dlq") and moment > self.clock.now():
                    yield moment

    def _schedules(self) -> list[dict[str, Any]]:
        from moto.scheduler.models import scheduler_backends

        group = scheduler_backends[ACCOUNT][REGION].schedule_groups["hitl"]
        return [schedule.to_dict() for schedule in group.schedules.values()]

    def _fire_schedules(self) -> None:
        for schedule in self._schedules():
            if _schedule_time(schedule) <= self.clock.now():
                name = schedule["Target"]["Arn"].rpartition(":")[2]
                self._clients["sqs"].send_message(
                    QueueUrl=queue_url(name), MessageBody=schedule["Target"]["Input"], DelaySeconds=0
                )
                self._clients["scheduler"].delete_schedule(GroupName="hitl", Name=schedule["Name"])


def _sqs() -> Any:
    """Return moto's SQS as it is now: another one, once something was restored."""
    from moto.sqs.models import sqs_backends

    return sqs_backends[ACCOUNT][REGION]


def sqs_record(
    message_id: str,
    body: str,
    *,
    receipt_handle: str = "",
    receive_count: str = "1",
    attributes: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": receipt_handle,
        "body": body,
        "attributes": {"ApproximateReceiveCount": receive_count},
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:test",
        "awsRegion": REGION,
    }


def _event_key(item: Mapping[str, Any]) -> tuple[str, int]:
    return item["subject"]["S"], int(item["seq"]["N"])


def _schedule_time(schedule: Mapping[str, Any]) -> datetime:
    return datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)


def _full_five_minutes(moment: datetime) -> datetime:
    step = timedelta(minutes=5)
    return moment + (datetime.min.replace(tzinfo=UTC) - moment) % step


def lambda_context(function: str) -> SimpleNamespace:
    """Return what Lambda tells a function of the call."""
    return SimpleNamespace(
        function_name=function,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
        aws_request_id="test",
        get_remaining_time_in_millis=lambda: 29_000,
    )
