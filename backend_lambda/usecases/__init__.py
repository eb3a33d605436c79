"""What the backend does, one verb a file. Everything outside comes through `backend_lambda.ports`."""
