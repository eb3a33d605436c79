"""How trainings are told: the request to the approvers, the message that follows, plot and samples in its thread."""
