"""Keeping and forgetting: what was kept long enough is erased, and all that is kept can be exported.

rules: marks
use cases: erase_person, export_everything, keep_retention
edges: export_folder, retention_store
"""
