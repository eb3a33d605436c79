"""What a webhook is: where it may lead, how it is signed, when it is tried again, what is kept of it."""
