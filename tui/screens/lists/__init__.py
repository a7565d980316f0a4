"""Lists and questions that open over a screen."""
