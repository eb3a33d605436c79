"""One container image: `serve` answers SageMaker's invocations, `train` learns styles."""

__version__ = "0.1.0"
