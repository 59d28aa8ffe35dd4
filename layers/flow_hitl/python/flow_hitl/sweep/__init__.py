"""What should have happened and did not is found, and done: nothing relies on one delivery.

rules: looks, watermark
use cases: replay, second_look, sweep_log
edges: sweep_store
"""
