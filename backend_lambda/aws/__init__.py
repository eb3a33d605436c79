"""The ports' adapters on AWS, one file a port."""
