"""moto's EC2 with its known differences from the real one put right, and with machines behind it.

What is corrected, and where EC2 says so:
- An Elastic IP in a VPC moves without AllowReassociation (API reference, AssociateAddress); only an explicit false
  refuses. The old holder no longer shows it, and gets a new public address of its own; the new holder loses its own.
- Five Elastic IPs a region (AddressLimitExceeded), images, key pairs and instance types that do not exist are refused.
- RunInstances honours its ClientToken, as EC2 does for retries.
- States take their time: pending, stopping and shutting-down are seen.
- A denied call says UnauthorizedOperation.
"""

from __future__ import annotations

import datetime
import os

# moto reads these once, when it is imported.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
os.environ["MOTO_ENABLE_AMI_VALIDATION"] = "true"
os.environ["MOTO_ENABLE_KEYPAIR_VALIDATION"] = "true"
os.environ["MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION"] = "true"

from collections.abc import Callable
from typing import Any, Protocol

from moto.core.exceptions import _RESTError
from moto.ec2.exceptions import EC2ClientError, InvalidInstanceTypeError
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import StateReason
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import random_eip_association_id
from moto.iam.access_control import IAMRequest

CANONICAL = "099720109477"
ADDRESS_QUOTA = 5
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

IMAGES = (
    "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-20230607",
    "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-20250429",
    "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20240927",
    "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250516",
    "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250516",
)
"""Names as Canonical gives them. Whichever is asked for, the lab boots its own node image."""


class Machines(Protocol):
    """What an instance's life means for the hypervisor. Calls return at once; the work goes on elsewhere."""

    def launch(self, instance: Any) -> None: ...
    def start(self, instance: Any) -> None: ...
    def stop(self, instance: Any, *, force: bool) -> None: ...
    def reboot(self, instance: Any) -> None: ...
    def terminate(self, instance: Any) -> None: ...


class LabInterface(NetworkInterface):  # type: ignore[misc, unused-ignore]
    """A network interface whose public address is its Elastic IP where it has one, else the one of its own."""

    _own: str | None = None

    @property
    def network_interface_id(self) -> str:
        """moto finds this value by the name of its own class, which this one does not have."""
        return str(self.id)

    @property
    def public_ip(self) -> str | None:
        for address in self.ec2_backend.addresses:
            if address.eni is self:
                return str(address.public_ip)
        return self._own

    @public_ip.setter
    def public_ip(self, value: str | None) -> None:
        self._own = value

    def check_auto_public_ip(self) -> None:
        """A new address of its own: only where it is wanted, and never beside an Elastic IP."""
        if str(self.public_ip_auto_assign).lower() == "true":
            self._own = self.ec2_backend.new_address()


class LabBackend(EC2Backend):  # type: ignore[misc, unused-ignore]
    """EC2 in the lab's region."""

    __module__ = EC2Backend.__module__  # by it moto finds a backend's URLs

    def __init__(self, region: str, account: str, machines: Machines, new_address: Callable[[], str]) -> None:
        self.machines = machines
        self.new_address = new_address
        self.explicit: dict[str, Any] = {}
        """Request parameters that moto's responses read but do not pass on; set just before the backend's call."""
        self._tokens: dict[str, tuple[str, Any]] = {}
        self._repeated = False
        super().__init__(region, account)

    def create_default_vpc(self) -> Any:
        """None: a lab begins empty, and the daemon makes its one VPC itself."""
        return None

    def set_state(self, instance: Any, state: str, reason: str = "", code: str = "") -> None:
        instance._state.name, instance._state.code = state, STATES[state]
        instance._reason = reason
        instance.state_reason = StateReason(reason, code)

    def add_images(self) -> None:
        for number, name in enumerate(IMAGES, start=1):
            ami = Ami(
                self,
                f"ami-0{number:016x}",
                name=name,
                description="Canonical, Ubuntu, amd64 (in the lab: its own node image)",
                owner_id=CANONICAL,
                public=True,
                virtualization_type="hvm",
                architecture="x86_64",
                hypervisor="xen",
                image_location=f"amazon/{name}",
                root_device_type="ebs",
                root_device_name="/dev/sda1",
                creation_date=datetime.datetime.strptime(f"{name[-8:]}+0000", "%Y%m%d%z"),
            )
            self.amis[ami.id] = ami

    # Instances

    def create_network_interface(self, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any) -> Any:
        # moto's own class is abstract by name only: its CloudFormation methods are never made.
        make: Any = LabInterface
        interface = make(self, subnet, private_ip_address, *args, **kwargs)
        self.enis[interface.id] = interface
        return interface

    def run_instances(
        self, image_id: str, count: int, user_data: Any, security_group_names: list[str], **kwargs: Any
    ) -> Any:
        token = self.explicit.pop("ClientToken", None)
        request = repr((image_id, count, user_data, security_group_names, sorted(kwargs.items(), key=lambda kv: kv[0])))
        if token in self._tokens:
            known, reservation = self._tokens[token]
            if known != request:
                raise EC2ClientError(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
                )
            self._repeated = True
            return reservation
        if not image_id:
            raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
        if not kwargs.get("subnet_id") and not kwargs.get("nics"):
            kwargs["subnet_id"] = next(iter(self.describe_subnets())).id
        try:
            reservation = super().run_instances(image_id, count, user_data, security_group_names, **kwargs)
        except InvalidInstanceTypeError:
            raise EC2ClientError(
                "InvalidParameterValue", f"Invalid value '{kwargs['instance_type']}' for InstanceType."
            ) from None
        if token:
            self._tokens[token] = (request, reservation)
        for instance in reservation.instances:
            self.set_state(instance, "pending")
            self.machines.launch(instance)
        return reservation

    def associate_iam_instance_profile(self, instance_id: str, *args: Any, **kwargs: Any) -> Any:
        if self._repeated:
            self._repeated = False
            return self.iam_instance_profile_associations.get(instance_id)
        return super().associate_iam_instance_profile(instance_id, *args, **kwargs)

    def start_instances(self, instance_ids: list[str]) -> Any:
        changes = self._changes(instance_ids, "start", {"stopped", "running", "pending"})
        for instance, before in changes:
            if before.name == "stopped":
                for interface in instance.nics.values():
                    interface.start()
                self.set_state(instance, "pending")
                self.machines.start(instance)
        return changes

    def stop_instances(self, instance_ids: list[str]) -> Any:
        force = bool(self.explicit.pop("Force", False))
        changes = self._changes(instance_ids, "stop", {"running", "stopping", "stopped"})
        for instance, before in changes:
            if before.name == "running" or (before.name == "stopping" and force):
                self.release_own_addresses(instance)
                self.set_state(
                    instance,
                    "stopping",
                    "Client.UserInitiatedShutdown: User initiated shutdown",
                    "Client.UserInitiatedShutdown",
                )
                self.machines.stop(instance, force=force)
        return changes

    def reboot_instances(self, instance_ids: list[str]) -> Any:
        changes = self._changes(instance_ids, "reboot", {"running"})
        for instance, _ in changes:
            self.machines.reboot(instance)
        return [instance for instance, _ in changes]

    def terminate_instances(self, instance_ids: list[str]) -> Any:
        changes = self._changes(instance_ids, "terminate", set(STATES))
        for instance, before in changes:
            if before.name in ("shutting-down", "terminated"):
                continue
            self.terminate_addresses(instance)
            self.set_state(
                instance,
                "shutting-down",
                "Client.UserInitiatedShutdown: User initiated shutdown",
                "Client.UserInitiatedShutdown",
            )
            self.machines.terminate(instance)
        return changes

    def finish_termination(self, instance: Any) -> None:
        """The machine is gone: so are its interfaces and volumes."""
        for interface in instance.nics.values():
            self.enis.pop(interface.id, None)
        instance.teardown_defaults()
        instance.security_groups = []
        self.set_state(instance, "terminated", instance._reason, instance.state_reason.code)

    def terminate_addresses(self, instance: Any) -> None:
        """A terminated instance holds no address; its Elastic IP stays allocated."""
        for address in self.addresses:
            if address.eni is not None and address.eni in instance.nics.values():
                address.instance = address.eni = address.association_id = None
        self.release_own_addresses(instance)

    def release_own_addresses(self, instance: Any) -> None:
        """A stopped instance keeps its Elastic IP and nothing else."""
        for interface in instance.nics.values():
            interface._own = None

    def _changes(self, instance_ids: list[str], verb: str, allowed: set[str]) -> list[tuple[Any, Any]]:
        """The instances with a copy of their present states. Refuses, before anything changes, where a state forbids."""
        if not instance_ids:
            raise EC2ClientError("MissingParameter", "The request must contain the parameter InstanceId")
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.state not in allowed:
                raise EC2ClientError(
                    "IncorrectInstanceState",
                    f"The instance '{instance.id}' is not in a state from which it can {verb}: it is {instance.state}.",
                )
        return [(instance, type(instance._state)(instance.state, instance.state_code)) for instance in instances]

    # Elastic IPs

    def allocate_address(self, domain: str, address: str | None = None, tags: Any = None) -> Any:
        if len(self.addresses) >= ADDRESS_QUOTA:
            raise EC2ClientError("AddressLimitExceeded", "The maximum number of addresses has been reached.")
        return super().allocate_address("vpc", address=address or self.new_address(), tags=tags)

    def associate_address(
        self,
        instance: Any = None,
        eni: Any = None,
        address: str | None = None,
        allocation_id: str | None = None,
        reassociate: bool = False,
    ) -> Any:
        explicit = self.explicit.pop("AllowReassociation", None)
        found = self.address_by_ip([address]) if address else self.address_by_allocation([str(allocation_id)])
        elastic = found[0]
        if instance is not None and instance.state not in ("pending", "running", "stopping", "stopped"):
            raise EC2ClientError(
                "InvalidInstanceID", f"The instance '{instance.id}' is {instance.state}: no address can be associated."
            )
        target = eni or instance.nics[0]
        if elastic.eni is target:
            return elastic
        others = [one for one in self.addresses if one.eni is target]
        if explicit is False and (elastic.eni is not None or others):
            raise EC2ClientError(
                "Resource.AlreadyAssociated",
                f"resource {elastic.allocation_id} is already associated with associate-id {elastic.association_id}",
            )
        for one in [elastic, *others]:
            self._let_go(one)
        target._own = None
        elastic.eni, elastic.instance = target, target.instance
        elastic.association_id = random_eip_association_id()
        return elastic

    def disassociate_address(self, address: str | None = None, association_id: str | None = None) -> None:
        found = self.address_by_ip([address]) if address else self.address_by_association([str(association_id)])
        self._let_go(found[0])

    def _let_go(self, elastic: Any) -> None:
        """Free an Elastic IP. Its holder gets a new public address, unless it has a second interface (EC2 manual)."""
        interface, instance = elastic.eni, elastic.instance
        elastic.eni = elastic.instance = elastic.association_id = None
        alive = instance is not None and instance.state in ("pending", "running")
        if interface is not None and alive and len(instance.nics) == 1:
            interface.check_auto_public_ip()


class UnauthorizedOperation(_RESTError):  # type: ignore[misc, unused-ignore]
    """EC2's own word for a denied call; moto says AccessDenied."""

    code = 403

    def __init__(self, arn: str, action: str) -> None:
        super().__init__(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. User: {arn} is not authorized to perform: {action}",
        )


def correct_responses() -> None:
    """Pass on the request parameters that moto's front reads and forgets, and name denied calls as EC2 does."""
    _remember(InstanceResponse, "stop_instances", "Force")
    _remember(InstanceResponse, "run_instances", "ClientToken")
    _remember(ElasticIPAddresses, "associate_address", "AllowReassociation")
    # Other regions are empty, too.
    setattr(EC2Backend, "create_default_vpc", LabBackend.create_default_vpc)  # noqa: B010 - mypy refuses an assignment
    denied = IAMRequest._raise_access_denied

    def raise_access_denied(request: Any) -> None:
        if request._service == "ec2":
            raise UnauthorizedOperation(request._access_key.arn, request._action)
        denied(request)

    setattr(IAMRequest, "_raise_access_denied", raise_access_denied)  # noqa: B010 - mypy refuses an assignment


def _remember(front: Any, method: str, parameter: str) -> None:
    original = getattr(front, method)

    def remembering(response: Any) -> Any:
        if isinstance(response.ec2_backend, LabBackend):
            response.ec2_backend.explicit = {parameter: response._get_param(parameter)}
        return original(response)

    setattr(front, method, remembering)
