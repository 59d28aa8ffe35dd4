"""The shapes of what goes in and out, as the API spells them.

rules: channel, etags, validation
use cases: rotation
"""
