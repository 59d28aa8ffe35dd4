"""Proof that the audit log is unchanged: seals, verification, and exports.

rules: export, known_actors, receipt, seal, verify_audit
use cases: answers, export_audit, issue_receipt, seal_audit, verify_log
edges: export_queue, export_store, seal_store
"""
