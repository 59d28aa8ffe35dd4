"""Seals, verification and exports."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.webhooks.wiring import WebhooksParts

if TYPE_CHECKING:
    from flow_hitl.proof.export_audit import ManageExports, RunExport
    from flow_hitl.proof.export_queue import SqsExportQueue
    from flow_hitl.proof.export_store import DynamoExportStore, S3ExportFiles
    from flow_hitl.proof.issue_receipt import IssueReceipt
    from flow_hitl.proof.receipt import KeySet
    from flow_hitl.proof.seal_audit import SealAudit
    from flow_hitl.proof.seal_store import KmsSealKey, S3SealStore
    from flow_hitl.proof.verify_log import VerifyAuditLog


class ProofParts(WebhooksParts):
    @cached_property
    def export_queue(self) -> SqsExportQueue:
        from flow_hitl.proof.export_queue import SqsExportQueue

        return SqsExportQueue(self.client("sqs"), self.settings.queue_url("export"))

    @cached_property
    def _seals(self) -> S3SealStore:
        from flow_hitl.proof.seal_store import S3SealStore

        return S3SealStore(self.client("s3"), self.settings.seal_bucket)

    @cached_property
    def _seal_key(self) -> KmsSealKey:
        from flow_hitl.proof.seal_store import KmsSealKey

        return KmsSealKey(lambda: self.client("kms"), self.settings.seal_key_id, self.settings.earlier_seal_keys)

    @cached_property
    def issue_receipt(self) -> IssueReceipt:
        from flow_hitl.proof.issue_receipt import IssueReceipt

        return IssueReceipt(
            requests=self._requests,
            audit=self._audit,
            effects=self._effects,
            key=self._seal_key,
            change_request=self._change_request,
            clock=self.clock,
        )

    @cached_property
    def receipt_keys(self) -> KeySet:
        from flow_hitl.proof.receipt import key_set

        return key_set(self._seal_key.trusted())

    @cached_property
    def _exports(self) -> DynamoExportStore:
        from flow_hitl.proof.export_store import DynamoExportStore

        return DynamoExportStore(self.client("dynamodb"), self.settings.deployments_table)

    @cached_property
    def _export_files(self) -> S3ExportFiles:
        from flow_hitl.platform.aws import link_client
        from flow_hitl.proof.export_store import S3ExportFiles

        return S3ExportFiles(self.client("s3"), link_client, self.settings.export_bucket)

    @cached_property
    def verify_audit_log(self) -> VerifyAuditLog:
        from flow_hitl.proof.verify_log import VerifyAuditLog

        return VerifyAuditLog(
            audit=self._audit,
            seals=self._seals,
            key=self._seal_key,
            requests=self._requests,
            attachments=lambda: self._attachments,
            deployments=self._deployments,
            webhooks=self._webhooks,
            clock=self.clock,
        )

    @cached_property
    def manage_exports(self) -> ManageExports:
        from flow_hitl.proof.export_audit import ManageExports

        return ManageExports(
            exports=self._exports,
            files=self._export_files,
            queue=self.export_queue,
            read_audit=self.read_audit,
            beginning=self.verify_audit_log.beginning,
            change_configuration=self.change_configuration,
            once=self.once,
            clock=self.clock,
            ids=self.ids,
        )

    @cached_property
    def run_export(self) -> RunExport:
        from pathlib import Path

        from flow_hitl.proof import verify_audit
        from flow_hitl.proof.export_audit import RunExport

        return RunExport(
            exports=self._exports,
            files=self._export_files,
            audit=self._audit,
            seals=self._seals,
            key=self._seal_key,
            script=Path(verify_audit.__file__).read_bytes(),
            clock=self.clock,
        )

    @cached_property
    def seal_audit(self) -> SealAudit:
        from flow_hitl.proof.seal_audit import SealAudit

        return SealAudit(self._audit, self._seals, self._seal_key, self._requests, self._deployments, self.clock)
