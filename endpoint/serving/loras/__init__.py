"""LoRAs: fetched from S3 when a request names them, kept while they are used, applied to each picture on its own."""
