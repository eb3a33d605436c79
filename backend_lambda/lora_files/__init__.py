"""What an imported file must be: safetensors, and a LoRA. Pure Python: nothing of a file is ever run or unpickled."""
