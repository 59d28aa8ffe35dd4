"""From an audit event to its effects, and back to the flow.

rules: retries
use cases: relay_event, resume_flow, retry_resume
edges: queues
"""
