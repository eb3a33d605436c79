"""SageMaker and Application Auto Scaling on one machine, for development: real container processes."""
