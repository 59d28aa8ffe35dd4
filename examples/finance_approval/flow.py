"""Expenses: the amount decides who must approve. The flow sets the address in its state; a routing rule reads it.

python flow.py [amount]
"""

import sys

from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from pydantic import BaseModel

import flow_hitl_client.crewai as hitl

hitl.install()

# The limit in euros up to which each person may approve.
THRESHOLDS = [
    (1_000, "team.lead@example.com"),
    (10_000, "head.of.finance@example.com"),
    (float("inf"), "cfo@example.com"),
]


class Expense(BaseModel):
    purpose: str = "Conference booth"
    amount: float = 4_800
    approver_email: str = ""
    # With `forbid_self_approval`, the person in `metadata.requested_by` must not approve.
    requested_by: str = "sam@example.com"


class ExpenseFlow(Flow[Expense]):
    @start()
    def choose_approver(self) -> None:
        self.state.approver_email = next(email for limit, email in THRESHOLDS if self.state.amount <= limit)

    @human_feedback(message="Approve this expense?", emit=["approved", "rejected"])
    @listen(choose_approver)
    def approve_expense(self) -> dict[str, object]:
        return {"purpose": self.state.purpose, "amount": f"€{self.state.amount:,.2f}", "for": self.state.requested_by}

    @listen("approved")
    def pay(self, result: HumanFeedbackResult) -> None:
        print(f"Paying €{self.state.amount:,.2f} for {self.state.purpose}. Approved by {decider(result)}.")

    @listen("rejected")
    def refuse(self, result: HumanFeedbackResult) -> None:
        print(f"Not paying for {self.state.purpose}. {decider(result)} says: {result.feedback}")


def decider(result: HumanFeedbackResult) -> str:
    return str(result.feedback.request["response"]["responder"])


registry = hitl.Registry(ExpenseFlow)

if __name__ == "__main__":
    ExpenseFlow().kickoff(inputs={"amount": float(sys.argv[1])} if sys.argv[1:] else None)
