"""From a filled form to a request for an approval, and what its buttons do."""
