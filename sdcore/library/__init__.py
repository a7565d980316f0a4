"""What is kept on disk: images, their metadata, models, settings. Nothing here imports torch."""
