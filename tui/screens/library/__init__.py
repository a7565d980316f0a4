"""The library: every image there is, and one of them in full size."""
