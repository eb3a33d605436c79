"""The platform: REST API, event handlers and use cases around SageMaker. It knows nothing of Slack."""
