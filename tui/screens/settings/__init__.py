"""The settings: what the program keeps, its keys and its colours."""
