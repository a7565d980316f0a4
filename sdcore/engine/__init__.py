"""Who runs a recipe: the worker thread, the engine process and its client."""
