"""`python -m deploy.local.sagemaker`: settings from the environment (`SageMakerSettings.from_environment`)."""

from __future__ import annotations

import os

from deploy.local.sagemaker.server import main
from deploy.local.sagemaker.settings import SageMakerSettings

main(SageMakerSettings.from_environment(os.environ))
