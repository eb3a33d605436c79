"""What clients of the backend may import: API models, events, errors, limits."""
