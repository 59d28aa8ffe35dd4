"""A quote goes to the account owner: the flow looks them up in the CRM, and a routing rule reads its state.

python flow.py [account]
"""

import sys

from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback

import flow_hitl_client.crewai as hitl

hitl.install()

# Stands for your CRM.
ACCOUNT_OWNERS = {"ACME": "alice@example.com", "Globex": "bob@example.com"}


class QuoteFlow(Flow):
    @start()
    def look_up_owner(self) -> None:
        self.state.setdefault("account", "ACME")
        # Without an owner, the rule falls back to its own address.
        self.state["account_owner_email"] = ACCOUNT_OWNERS.get(self.state["account"])

    @human_feedback(message="May this quote go to your customer?", emit=["send", "hold"])
    @listen(look_up_owner)
    def review_quote(self) -> str:
        return f"# Quote for {self.state['account']}\n\n100 seats, 12 months: €24,000"

    @listen("send")
    def send_quote(self) -> None:
        print(f"Quote sent to {self.state['account']}.")

    @listen("hold")
    def hold_quote(self, result: HumanFeedbackResult) -> None:
        print(f"Quote for {self.state['account']} held back: {result.feedback}")


registry = hitl.Registry(QuoteFlow)

if __name__ == "__main__":
    QuoteFlow().kickoff(inputs={"account": sys.argv[1]} if sys.argv[1:] else None)
