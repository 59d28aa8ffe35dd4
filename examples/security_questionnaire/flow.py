"""A security questionnaire: the security team corrects drafted answers until they are right.

python flow.py
"""

from crewai.flow.flow import Flow, listen, or_, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from pydantic import BaseModel

import flow_hitl_client.crewai as hitl

hitl.install()


class Questionnaire(BaseModel):
    customer: str = "ACME"
    answers: dict[str, str] = {}
    corrections: list[str] = []


class SecurityQuestionnaireFlow(Flow[Questionnaire]):
    @start()
    def draft_answers(self) -> None:
        # Your crew would write these.
        self.state.answers = {
            "Is data encrypted at rest?": "Yes, with AES-256.",
            "How often are backups tested?": "Every month.",
        }

    # Corrections lead back here; they are in the state, and in the email as earlier rounds.
    @human_feedback(message="Are these answers accurate?", emit=["accurate", "needs_changes"])
    @listen(or_("draft_answers", "revised"))
    def review_answers(self) -> str:
        lines = [f"**{question}**\n\n{answer}" for question, answer in self.state.answers.items()]
        return f"# {self.state.customer}\n\n" + "\n\n".join(lines)

    @listen("needs_changes")
    def revised(self, result: HumanFeedbackResult) -> None:
        self.state.corrections.append(str(result.feedback))
        # Your crew would apply the correction.
        self.state.answers["How often are backups tested?"] = str(result.feedback)

    @listen("accurate")
    def submit(self, result: HumanFeedbackResult) -> None:
        checked_by = result.feedback.request["response"]["responder"]
        print(f"Submitting to {self.state.customer}, checked by {checked_by}: {self.state.answers}")


registry = hitl.Registry(SecurityQuestionnaireFlow)

if __name__ == "__main__":
    SecurityQuestionnaireFlow().kickoff()
