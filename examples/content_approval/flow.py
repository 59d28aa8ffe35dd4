"""The specification's ContentApprovalFlow on real CrewAI, without an LLM.

    python flow.py                             asks, waits, and continues
    FLOW_HITL_MODE=durable python flow.py      asks and ends; `flow-hitl-client resume --app flow:registry` resumes

What to know about the specification's snippet is in README.md.
"""

from crewai.flow.flow import Flow, listen, or_, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback

import flow_hitl_client.crewai as hitl

hitl.install()


# From here to the end of the class: the specification's code, unchanged.
class ContentApprovalFlow(Flow):
    @start()
    def generate_content(self):
        return "Generated marketing copy for Q1 campaign..."

    # The person sees what this method returns, not the generated copy, and after "needs_revision" the same text again.
    # Your flow would revise it.
    @human_feedback(
        message="Please review this content for brand compliance:",
        emit=["approved", "rejected", "needs_revision"],
    )
    @listen(or_("generate_content", "needs_revision"))
    def review_content(self):
        return "Marketing copy for review..."

    @listen("approved")
    def publish_content(self, result: HumanFeedbackResult):
        print(f"Publishing approved content. Reviewer notes: {result.feedback}")

    @listen("rejected")
    def archive_content(self, result: HumanFeedbackResult):
        print(f"Content rejected. Reason: {result.feedback}")


registry = hitl.Registry(ContentApprovalFlow)

if __name__ == "__main__":
    ContentApprovalFlow().kickoff()
