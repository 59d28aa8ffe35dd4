"""The entry points: one module for each Lambda function, and what several of them share."""

import gc

# What is imported is never freed, and every look whether it could be takes longer than the one before.
gc.set_threshold(50_000, 20, 20)
