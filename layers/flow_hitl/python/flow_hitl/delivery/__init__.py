"""From an audit event to its effects, and back to the flow.

rules: dead_letters, retries
use cases: ask_flow, forget_schedules, redrive_dead_letters, relay_event, resume_flow, retry_resume
edges: dead_letter_queues, queues
"""
