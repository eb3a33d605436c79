"""The `serve` mode: SageMaker's container contract around an engine that paints with diffusers."""
