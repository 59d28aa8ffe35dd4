"""What looks for what should have happened and did not, for what is due to be forgotten, and for all there is.

The parts of `retention` stand here, too: a module of their own would be loaded by every function.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.delivery.wiring import DeliveryParts
from flow_hitl.mails.wiring import MailsParts
from flow_hitl.metrics.wiring import MetricsParts
from flow_hitl.proof.wiring import ProofParts
from flow_hitl.replies.wiring import RepliesParts

if TYPE_CHECKING:
    from flow_hitl.retention.erase_person import ErasePerson
    from flow_hitl.retention.export_everything import ExportEverything
    from flow_hitl.retention.keep_retention import EraseContent, KeepRetention
    from flow_hitl.retention.retention_store import S3Objects
    from flow_hitl.sweep.progress import Progress
    from flow_hitl.sweep.redrive_stream import RedriveStream
    from flow_hitl.sweep.replay import Replay
    from flow_hitl.sweep.run_sweep import RunSweep
    from flow_hitl.sweep.second_look import SecondLook
    from flow_hitl.sweep.sweep_store import DynamoAgenda, DynamoWatermarks, SealEnds
    from flow_hitl.sweep.take_stock import TakeStock


class SweepParts(ProofParts, MetricsParts, MailsParts, RepliesParts, DeliveryParts):
    @cached_property
    def run_sweep(self) -> RunSweep:
        from flow_hitl.sweep.keep_agenda import KeepAgenda
        from flow_hitl.sweep.run_sweep import RunSweep
        from flow_hitl.sweep.watch_seal import WatchSeal

        keep_agenda = KeepAgenda(
            agenda=self._agenda,
            requests=self._requests,
            steps=self._requests,
            audit=self._audit,
            effects=self._progress,
            queue=self.relay_event.queue,
            deadlines=self._deadlines,
            exports=self._exports,
            export_queue=self.export_queue,
            clock=self.clock,
        )
        watch_seal = WatchSeal(self._sealed_times, self.messages("seal"))
        return RunSweep(keep_agenda, watch_seal, self._second_look, self._watermarks, self.clock)

    @cached_property
    def take_stock(self) -> TakeStock:
        from flow_hitl.sweep.take_stock import TakeStock

        return TakeStock(self._audit, self._requests, self._deployments, self._agenda, self._watermarks, self.clock)

    @cached_property
    def replay(self) -> Replay:
        from flow_hitl.sweep.replay import Replay

        return Replay(self._second_look)

    @cached_property
    def _watermarks(self) -> DynamoWatermarks:
        from flow_hitl.sweep.sweep_store import DynamoWatermarks

        return DynamoWatermarks(self.client("dynamodb"), self.settings.deployments_table)

    @cached_property
    def _agenda(self) -> DynamoAgenda:
        from flow_hitl.sweep.sweep_store import DynamoAgenda

        return DynamoAgenda(self.client("dynamodb"), self.settings.deployments_table, self.pause)

    def _sealed_times(self) -> SealEnds:
        from flow_hitl.sweep.sweep_store import SealEnds

        return SealEnds(self._seals)

    @cached_property
    def _progress(self) -> Progress:
        from flow_hitl.sweep.progress import Progress

        return Progress(self._effects, lambda: self._webhooks, lambda: self._deliveries)

    @cached_property
    def redrive_stream(self) -> RedriveStream:
        from flow_hitl.sweep.redrive_stream import RedriveStream

        return RedriveStream(self.redrive_dead_letters.queues, self.replay, self.clock)

    @cached_property
    def _second_look(self) -> SecondLook:
        from flow_hitl.sweep.second_look import SecondLook

        return SecondLook(
            audit=self._audit,
            effects=self._progress,
            deployments=self._deployments,
            agenda=self._agenda,
            relay=self.relay_event,
            count_answers=self.count_answers,
            clock=self.clock,
        )

    @cached_property
    def keep_retention(self) -> KeepRetention:
        from flow_hitl.retention.keep_retention import KeepRetention
        from flow_hitl.retention.retention_store import DynamoRetentionMarks

        return KeepRetention(
            deployments=self._deployments,
            audit=self._audit,
            requests=self._requests,
            search=self._search_log,
            erase=self._erase_content,
            objects=self._objects,
            marks=DynamoRetentionMarks(self.client("dynamodb"), self.settings.deployments_table),
            change_configuration=self.change_configuration,
            clock=self.clock,
        )

    @cached_property
    def erase_person(self) -> ErasePerson:
        from flow_hitl.retention.erase_person import ErasePerson

        return ErasePerson(
            deployments=self._deployments,
            audit=self._audit,
            requests=self._requests,
            search=self._search_log,
            effects=self._effects,
            discards=self.discards,
            erase_content=self._erase_content,
            objects=self._objects,
            suppressed=self.suppressed,
            sessions=self._sessions,
            change_configuration=self.change_configuration,
            clock=self.clock,
        )

    @cached_property
    def export_everything(self) -> ExportEverything:
        from flow_hitl.retention.export_everything import ExportEverything

        return ExportEverything(
            deployments=self._deployments,
            requests=self._requests,
            attachments=self._attachments,
            discards=self.discards,
            webhooks=self._webhooks,
            deliveries=self._deliveries,
            suppressed=self.suppressed,
            read_analytics=self.read_analytics,
            audit_exports=self.manage_exports,
            objects=self._objects,
            clock=self.clock,
        )

    @cached_property
    def _erase_content(self) -> EraseContent:
        from flow_hitl.retention.keep_retention import EraseContent

        return EraseContent(self._audit, self._requests, self._objects, self.clock, self.ids, self.pause)

    @cached_property
    def _objects(self) -> S3Objects:
        from flow_hitl.retention.retention_store import S3Objects

        return S3Objects(lambda: self.client("s3"), self.settings.content_bucket, self.settings.mail_bucket)
