"""What should have happened and did not is found, and done: nothing relies on one delivery.

rules: agenda, looks, watermark
use cases: keep_agenda, replay, run_sweep, second_look
edges: sweep_store
"""
