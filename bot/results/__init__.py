"""What becomes of the backend's events: progress in the placeholder, then the pictures, or what went wrong."""
