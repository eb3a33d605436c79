"""What can be said to `/imagine-admin`: who may do what, how much of it, and which words are blocked."""
