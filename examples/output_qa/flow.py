"""Quality assurance: QA checks an answer before it goes to the customer, and its feedback improves the next ones.

python flow.py
"""

from crewai.flow.flow import Flow, listen, or_, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback

import flow_hitl_client.crewai as hitl

hitl.install()


class AnswerFlow(Flow):
    @start()
    def take_question(self) -> None:
        self.state["question"] = "When will my order arrive?"
        # QA feedback so far: your crew would read it before writing.
        self.state["lessons"] = []

    @human_feedback(message="Is this fit for the customer?", emit=["deliver", "improve"])
    @listen(or_(take_question, "lesson_learnt"))
    def check_answer(self) -> str:
        lessons = "; ".join(self.state["lessons"]) or "none yet"
        return f"> {self.state['question']}\n\nTomorrow, before noon.\n\n*Lessons applied: {lessons}*"

    @listen("improve")
    def lesson_learnt(self, result: HumanFeedbackResult) -> None:
        self.state["lessons"] = [*self.state["lessons"], str(result.feedback)]

    @listen("deliver")
    def hand_over(self, result: HumanFeedbackResult) -> None:
        print(f"Delivered: {result.output}")


registry = hitl.Registry(AnswerFlow)

if __name__ == "__main__":
    AnswerFlow().kickoff()
