"""One container image: `serve` answers SageMaker's invocations, `train` learns styles."""
