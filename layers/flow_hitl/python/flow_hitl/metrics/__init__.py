"""The figures and their reports.

rules: analytics, answers, metrics
use cases: measure_events, read_analytics, rebuild_metrics
edges: metric_store
"""
