"""The line to the engine: where it is, how it is opened, and what is known of its work."""
