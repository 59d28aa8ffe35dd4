"""What should have happened and did not is found, and done: nothing relies on one delivery.

rules: agenda, looks, stream_pointer, unsealed, watermark
use cases: keep_agenda, progress, redrive_stream, replay, run_sweep, second_look, take_stock, watch_seal
edges: sweep_store
"""
