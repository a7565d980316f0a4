"""Sweeps: many images at once, over axes of settings."""
