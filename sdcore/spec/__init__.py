"""What to make, as plain data. Nothing here imports torch."""
