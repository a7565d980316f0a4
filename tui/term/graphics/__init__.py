"""Ways to draw a picture that are better than half blocks, each for the terminals that know it."""
