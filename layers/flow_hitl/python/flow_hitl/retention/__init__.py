"""Keeping and forgetting: what has been kept for as long as a deployment wants is erased.

rules: marks
use cases: erase_person, keep_retention
edges: retention_store
"""
