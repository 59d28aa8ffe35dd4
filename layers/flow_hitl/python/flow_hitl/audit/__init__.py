"""The log of everything that happens, and the effects that follow from each event.

rules: answers, bound, chain, effects, index
use cases: read_audit
edges: audit_log, effect_log
"""
