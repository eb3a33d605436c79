"""The container's `train`: a LoRA from pictures."""
