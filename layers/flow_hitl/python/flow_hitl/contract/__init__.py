"""The shapes of what goes in and out, as the API spells them.

rules: etags, shapes, validation
use cases: rotation
"""
