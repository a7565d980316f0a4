"""What a person names and keeps: styles, presets and wildcard files."""
