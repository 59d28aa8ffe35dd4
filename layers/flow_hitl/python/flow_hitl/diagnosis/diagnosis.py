"""Why something does not happen: the spec's three troubleshooting questions about one request, answered from facts."""

from dataclasses import dataclass
from typing import Any

from flow_hitl.diagnosis.findings import Answered, Facts
from flow_hitl.diagnosis.flow_findings import flow_question
from flow_hitl.diagnosis.mail_findings import mail_question
from flow_hitl.diagnosis.reply_findings import reply_question


@dataclass(frozen=True)
class Diagnosis:
    """The answers to the three questions, in the order in which a request meets them."""

    request_id: str
    deployment_id: int
    questions: tuple[Answered, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as the API shows it."""
        return {
            "request_id": self.request_id,
            "questions": [
                {
                    "question": answered.question.value,
                    "status": answered.status.value,
                    "findings": [
                        {"fact": finding.fact, "status": finding.status.value, "next_step": finding.next_step}
                        for finding in answered.findings
                    ],
                }
                for answered in self.questions
            ],
        }


def diagnose(facts: Facts) -> Diagnosis:
    """Answer the three questions."""
    questions = mail_question(facts), reply_question(facts), flow_question(facts)
    return Diagnosis(facts.head.request_id, facts.head.deployment_id, questions)
