"""The regions that screens are made of."""
