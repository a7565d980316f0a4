"""What is added to an open model: LoRA files in its weights, textual inversions among its words."""
