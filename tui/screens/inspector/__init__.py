"""The inspector: a recorded run, step by step."""
