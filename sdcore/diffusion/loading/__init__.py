"""From files to a model: every form that weights come in."""
