"""Exports of the audit log: one message per export, and another whenever a run ends before the work does."""

from flow_hitl.bootstrap import current
from flow_hitl.proof.export import EXPORT_ATTEMPTS
from flow_hitl.proof.export_queue import read_export
from functions.workers import Message, queue_handler


def work(message: Message) -> None:
    deployment_id, export_id = read_export(message.body)
    run_export = current().run_export
    try:
        finished = run_export(deployment_id, export_id)
    except Exception:
        if message.attempt >= EXPORT_ATTEMPTS:
            run_export.give_up(deployment_id, export_id)
        raise
    if not finished:
        current().export_queue.send(deployment_id, export_id)


handler = queue_handler(work)
