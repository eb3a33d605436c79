"""Pictures as Amazon Rekognition sees them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.contract.jobs import JobPicture
from backend_lambda.ports import Moderation, ModerationUnavailable, Verdict


class RekognitionModeration:
    """`Moderation` by `DetectModerationLabels` on the pictures where they lie; prompts are checked by another one.

    A picture is refused for a label of which the service is sure by at least `min_confidence` per cent, if the label or
    the one above it is among `labels`, in whatever case; or for any label where there are none.
    https://docs.aws.amazon.com/rekognition/latest/dg/moderation.html

    Whatever goes wrong is `ModerationUnavailable`, also a picture that the service can't read: it was not checked.
    """

    def __init__(self, client: Client, prompts: Moderation, *, min_confidence: float, labels: Collection[str]) -> None:
        self._client = client
        self._prompts = prompts
        self._min_confidence = min_confidence
        self._labels = {label.casefold() for label in labels}

    def check_prompt(self, tenant: str, text: str) -> Verdict:
        return self._prompts.check_prompt(tenant, text)

    def check_pictures(self, pictures: Sequence[JobPicture]) -> Verdict:
        for picture in pictures:
            label = self._refused_label(picture)
            if label is not None:
                return Verdict(label)
        return Verdict()

    def _refused_label(self, picture: JobPicture) -> str | None:
        try:
            answer = self._client().detect_moderation_labels(
                Image={"S3Object": {"Bucket": picture.bucket, "Name": picture.key}},
                MinConfidence=self._min_confidence,
            )
        except (ClientError, BotoCoreError) as error:
            raise ModerationUnavailable(f"Rekognition did not check {picture.key}") from error
        for label in answer.get("ModerationLabels", []):
            names = {label.get("Name", "").casefold(), label.get("ParentName", "").casefold()}
            if label.get("Confidence", 100.0) >= self._min_confidence and (not self._labels or names & self._labels):
                return str(label.get("Name", ""))
        return None
