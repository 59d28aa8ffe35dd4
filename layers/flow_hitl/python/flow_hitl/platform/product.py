"""What the product is called wherever people see it."""

PRODUCT_NAME = "Flow HITL"
"""The sender's name of our emails, which mail clients repeat above a quote of one."""
