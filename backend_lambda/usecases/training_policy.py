"""How a workspace trains: read it, and change it."""

from __future__ import annotations

from backend_lambda.callers import Caller
from backend_lambda.contract.trainings import TrainingPolicy
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.usecases.change_access import record as audit_record


def read_training_policy(caller: Caller, ports: TrainingPorts) -> TrainingPolicy:
    """The tenant's."""
    return ports.trainings.policy(caller.tenant)


def put_training_policy(caller: Caller, policy: TrainingPolicy, ports: TrainingPorts) -> TrainingPolicy:
    """Replace it; the same again changes nothing. It holds for what is submitted, and for what ends, from now on."""
    current = ports.trainings.policy(caller.tenant)
    if policy != current:
        made = audit_record(caller, ports.clock.now(), "put_training_policy", "training-policy", current, policy)
        ports.trainings.put_policy(caller.tenant, policy, made)
    return policy
