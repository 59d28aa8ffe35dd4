"""The stacks' parts: one small construct per concern."""
