"""Where containers get the credentials of their execution role, as on AWS: from a link-local address of their own."""

from __future__ import annotations

import secrets

from deploy.local.sagemaker.aws_protocol import AwsError


class ContainerCredentials:
    """One unguessable address a role."""

    def __init__(self) -> None:
        self.base_url = ""
        self._roles: dict[str, str] = {}

    def uri_for(self, role_arn: str) -> str:
        """What `AWS_CONTAINER_CREDENTIALS_FULL_URI` is."""
        for token, role in self._roles.items():
            if role == role_arn:
                return f"{self.base_url}/credentials/{token}"
        token = secrets.token_urlsafe(32)
        self._roles[token] = role_arn
        return f"{self.base_url}/credentials/{token}"

    def role_of(self, token: str) -> str:
        """Raises `AwsError`."""
        if token not in self._roles:
            raise AwsError("AccessDenied", "No such credentials.", 404)
        return self._roles[token]
