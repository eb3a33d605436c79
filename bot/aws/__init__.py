"""The bot's AWS adapters: plain botocore, which starts faster than boto3."""
