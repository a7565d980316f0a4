"""The terminal itself: capabilities, pixels, pacing and safe text."""
