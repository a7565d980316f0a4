"""The queue: what is being made, what waits and what failed."""
