"""Variations: the neighbours of an image, and the way back."""
