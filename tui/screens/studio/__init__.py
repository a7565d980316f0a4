"""The studio: the one screen that most work happens on, and what each of its parts does."""
