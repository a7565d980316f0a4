"""The terminal app: a client of the engine process. It never imports torch."""
