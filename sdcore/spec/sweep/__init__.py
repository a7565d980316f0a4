"""One recipe becomes many: grids over settings, prompt matrices, and choices and wildcards in prompts. Pure."""
