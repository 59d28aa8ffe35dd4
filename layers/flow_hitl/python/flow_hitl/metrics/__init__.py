"""The figures and their reports.

rules: analytics, answers, metrics
use cases: check_metrics, fold_events, keep_figures, measured_log, read_analytics, rebuild_metrics
edges: metric_store
"""
