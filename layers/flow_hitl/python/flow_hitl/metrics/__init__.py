"""The figures, and what the analytics page makes of them.

rules: analytics, answers, metrics
use cases: measure_events, read_analytics, rebuild_metrics
edges: metric_store
"""
