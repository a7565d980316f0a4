"""What the app shows, one module a screen."""
