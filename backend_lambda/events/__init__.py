"""Lambda functions that are not asked by anyone, named for what triggers them."""
