"""What happens to an accepted invocation: find the caller's role, call the backend as the caller, show how it goes."""
