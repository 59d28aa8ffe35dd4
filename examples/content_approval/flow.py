"""The specification's ContentApprovalFlow on real CrewAI: paused in one process, resumed in another, no LLM.

    python flow.py start                 asks for the review, prints who was asked, and ends
    python flow.py resume <flow id>      waits for the answer and goes on with it

How to set it up, and what to know about the specification's snippet, is in README.md.
"""

import sys

from crewai.flow.async_feedback import HumanFeedbackPending
from crewai.flow.flow import Flow, listen, or_, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback

import flow_hitl_client.crewai as hitl
from flow_hitl_client import Client


# From here to the end of the class: the specification's code, unchanged. `emit` without `llm` is a ValueError on crewai
# 1.8.0 to 1.9.3 (the specification says "1.8.0 or higher"); there, add any llm="…", it is never called.
class ContentApprovalFlow(Flow):
    @start()
    def generate_content(self):
        return "Generated marketing copy for Q1 campaign..."

    # The person sees what this method returns, and not the generated copy: it takes no argument. So after
    # "needs_revision", which really leads back here, they see the same text again; a flow of yours would revise it.
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


def start_flow() -> None:
    hitl.install(hitl.DurableProvider())
    say_where_it_waits(ContentApprovalFlow(persistence=hitl.flow_store()).kickoff())


def resume_flow(flow_id: str) -> None:
    # The next review point of the loop must find its provider in this process too.
    hitl.install(hitl.DurableProvider())
    client = Client()
    request = client.wait_for(hitl.pending_request_id(flow_id))
    if request["response"] is None:
        sys.exit(f"Request {request['id']} was cancelled.")
    result = hitl.resume(ContentApprovalFlow, request, client=client)
    if isinstance(result, HumanFeedbackPending):
        say_where_it_waits(result)
    else:
        print(f"Flow {flow_id} has finished.")


def say_where_it_waits(paused: HumanFeedbackPending) -> None:
    request = paused.callback_info["request"]
    print(f"Flow {request['flow_id']} paused at {request['method_name']}.")
    print(f"Request {request['id']} waits for {request['assigned_to_email']} ({request['assigned_by']}).")
    print(f"Go on with: python flow.py resume {request['flow_id']}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start"]:
            start_flow()
        case ["resume", flow_id]:
            resume_flow(flow_id)
        case _:
            sys.exit(__doc__)
