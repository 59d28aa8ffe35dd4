"""The spec's three troubleshooting questions about one request, answered from facts."""

from dataclasses import dataclass

from flow_hitl.contract.shapes import RequestId
from flow_hitl.diagnosis.findings import AnsweredQuestion, Facts
from flow_hitl.diagnosis.flow_findings import flow_question
from flow_hitl.diagnosis.mail_findings import mail_question
from flow_hitl.diagnosis.reply_findings import reply_question


@dataclass(frozen=True)
class RequestDiagnosis:
    """The answers to the three questions."""

    request_id: RequestId
    """The request."""
    questions: tuple[AnsweredQuestion, ...]
    """The three questions, in the order in which a request meets them."""


@dataclass(frozen=True)
class Diagnosis:
    """A diagnosis."""

    diagnosis: RequestDiagnosis
    """What was found about the request."""


def diagnose(facts: Facts) -> RequestDiagnosis:
    """Answer the three questions."""
    questions = mail_question(facts), reply_question(facts), flow_question(facts)
    return RequestDiagnosis(facts.head.request_id, questions)
