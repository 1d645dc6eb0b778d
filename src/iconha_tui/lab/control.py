"""The lab's AWS: one empty account in one region, on moto, served over HTTP."""

from __future__ import annotations

import datetime
import json
import logging
import random
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from iconha_tui.lab.backend import LabBackend, Machines, correct_responses
from iconha_tui.lab.hypervisor import Network
from iconha_tui.lab.metadata import Facts, credentials

from moto import settings  # isort: skip - backend.py sets what moto reads at import
from moto.ec2.models import ec2_backends  # isort: skip
from moto.iam.models import iam_backends  # isort: skip
from moto.moto_server.werkzeug_app import (  # isort: skip
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sts.models import sts_backends  # isort: skip
from werkzeug.serving import BaseWSGIServer, make_server  # isort: skip

log = logging.getLogger(__name__)

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""The account of a request whose keys name no other, in moto."""
SERVICES = ("ec2", "sts", "iam")
NODE_ACTIONS = [
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeAddresses",
    "ec2:DescribeNetworkInterfaces",
    "ec2:AssociateAddress",
    "ec2:DisassociateAddress",
    "ec2:StartInstances",
    "ec2:StopInstances",
    "ec2:RebootInstances",
]
"""What awseip and fence_aws call, and no more."""

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]


@dataclass(frozen=True)
class Keys:
    access_key: str
    secret_key: str


class Control:
    """The account. Everything that reads or changes it holds `lock`: moto itself is not made for threads."""

    def __init__(self, lab: str, network: Network, machines: Machines) -> None:
        self.lock = threading.RLock()
        self.network = network
        self.key_pair = f"lab-{lab}"
        self.on_change: Callable[[], None] = lambda: None
        """Called after every request, outside the lock: it may have moved an address."""
        self._role_keys: dict[str, Any] = {}
        correct_responses()
        self.ec2 = LabBackend(REGION, ACCOUNT, machines, self._new_address)
        ec2_backends[ACCOUNT][REGION] = self.ec2
        self._moto = DomainDispatcherApplication(create_backend_app)

    def fill(self, public_key: str) -> tuple[Keys, Keys]:
        """Make what a new account has, and the two users. Returns the operator's keys and the nodes' keys."""
        self.ec2.add_images()
        vpc = self.ec2.create_vpc(str(self.network.vpc), is_default=True)
        self.ec2.default_vpc = vpc
        subnet = self.ec2.create_subnet(vpc.id, str(self.network.subnet), availability_zone=f"{REGION}a")
        self.ec2.modify_subnet_attribute(subnet.id, "map_public_ip_on_launch", True)
        gateway = self.ec2.create_internet_gateway()
        self.ec2.attach_internet_gateway(gateway.id, vpc.id)
        self.ec2.import_key_pair(self.key_pair, public_key.encode(), {})
        self.subnet_id = str(subnet.id)
        operator = self._user("lab-operator", ["*"])
        nodes = self._user("lab-nodes", NODE_ACTIONS)
        self._profile("lab-nodes", NODE_ACTIONS)
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0  # from now on signatures and permissions are checked
        return operator, nodes

    def serve(self, extra: App) -> BaseWSGIServer:
        """Answer on a free port of 127.0.0.1, each request in a thread. `extra` gets what is below /_lab/."""

        def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"].startswith("/_lab/"):
                return extra(environ, start_response)
            if refusal := _refuse(environ):
                start_response("403 Forbidden", [("Content-Type", "text/xml"), ("Content-Length", str(len(refusal)))])
                return [refusal]
            with self.lock:
                body = list(self._moto(environ, start_response))
            # Before the answer is sent: whoever has moved an address finds it moved.
            self.on_change()
            return body

        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_QuietHandler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="api", daemon=True).start()
        return server

    def public_key(self, instance: Any) -> str:
        pair = self.ec2.key_pairs.get(instance.key_name)
        return pair.material_public.decode().strip() if pair else ""

    def instances(self) -> list[Any]:
        return list(self.ec2.all_instances())

    def leads(self) -> dict[str, str]:
        """Public or Elastic address -> private address of the running instance that holds it."""
        with self.lock:
            return {
                interface.public_ip: interface.private_ip_address
                for instance in self.instances()
                if instance.state == "running"
                for interface in instance.nics.values()
                if interface.public_ip
            }

    def facts(self, instance_id: str) -> Facts:
        """What the metadata service says of an instance now."""
        with self.lock:
            instance = self.ec2.get_instance(instance_id)
            interface = instance.nics[0]
            zone = instance.availability_zone
            tree = {
                "meta-data/ami-id": instance.image_id,
                "meta-data/ami-launch-index": "0",
                "meta-data/instance-id": instance.id,
                "meta-data/instance-type": instance.instance_type,
                "meta-data/local-ipv4": instance.private_ip,
                "meta-data/hostname": instance.private_dns_name,
                "meta-data/local-hostname": instance.private_dns_name,
                "meta-data/mac": interface.mac_address,
                "meta-data/placement/availability-zone": zone,
                "meta-data/placement/region": REGION,
                "meta-data/reservation-id": "r-0",
                "meta-data/services/domain": "amazonaws.com",
                "meta-data/services/partition": "aws",
                "meta-data/security-groups": "\n".join(group.name for group in instance.security_groups),
                "dynamic/instance-identity/document": json.dumps(
                    {
                        "accountId": ACCOUNT,
                        "architecture": "x86_64",
                        "availabilityZone": zone,
                        "imageId": instance.image_id,
                        "instanceId": instance.id,
                        "instanceType": instance.instance_type,
                        "privateIp": instance.private_ip,
                        "region": REGION,
                        "version": "2017-09-30",
                    },
                    indent=1,
                ),
            }
            for one in instance.nics.values():
                folder = f"meta-data/network/interfaces/macs/{one.mac_address}"
                tree[f"{folder}/device-number"] = str(one.device_index)
                tree[f"{folder}/interface-id"] = one.id
                tree[f"{folder}/local-ipv4s"] = one.private_ip_address
                tree[f"{folder}/subnet-id"] = one.subnet.id
                tree[f"{folder}/vpc-id"] = one.subnet.vpc_id
                if one.public_ip:
                    tree[f"{folder}/public-ipv4s"] = one.public_ip
            if interface.public_ip:
                tree["meta-data/public-ipv4"] = interface.public_ip
            if instance.key_name:
                tree["meta-data/public-keys/0/openssh-key"] = self.public_key(instance)
            self._add_role(tree, instance)
            return Facts(instance.metadata_options.http_tokens == "required", tree)

    def _add_role(self, tree: dict[str, str], instance: Any) -> None:
        association = self.ec2.iam_instance_profile_associations.get(instance.id)
        if association is None or not association.iam_instance_profile.roles:
            return
        role = association.iam_instance_profile.roles[0]
        now = datetime.datetime.now(datetime.UTC)
        assumed = self._role_keys.get(instance.id)
        if assumed is None or assumed.expiration.replace(tzinfo=datetime.UTC) - now < datetime.timedelta(minutes=30):
            sts = sts_backends[ACCOUNT]["aws"]
            assumed = sts.assume_role(
                region_name=REGION,
                role_session_name=instance.id,
                role_arn=role.arn,
                policy="",
                duration=21600,
                external_id="",
            )
            self._role_keys[instance.id] = assumed
        expires = assumed.expiration.replace(tzinfo=datetime.UTC)
        form = "%Y-%m-%dT%H:%M:%SZ"
        tree[f"meta-data/iam/security-credentials/{role.name}"] = credentials(
            assumed.access_key_id,
            assumed.secret_access_key,
            assumed.session_token,
            now.strftime(form),
            expires.strftime(form),
        )
        profile = association.iam_instance_profile
        tree["meta-data/iam/info"] = json.dumps(
            {"Code": "Success", "InstanceProfileArn": profile.arn, "InstanceProfileId": profile.id}
        )

    def _new_address(self) -> str:
        """A loopback address that no other lab uses: its second number is that of the lab's private network.

        All are of one length. awseip looks an address up by an unanchored `grep`, and 127.64.1.10 is in
        127.64.1.100: a trap of the real world too, but one that would make the lab fail now and then.
        """
        second = str(self.network.vpc.network_address).split(".")[1]
        taken: set[Any] = {address.public_ip for address in self.ec2.addresses}
        taken |= {getattr(interface, "_own", None) for interface in self.ec2.enis.values()}
        while True:
            address = f"127.{second}.{random.randint(100, 254)}.{random.randint(100, 254)}"  # noqa: S311
            if address not in taken:
                return address

    def _user(self, name: str, actions: list[str]) -> Keys:
        iam = iam_backends[ACCOUNT]["aws"]
        iam.create_user(REGION, name)
        iam.put_user_policy(name, "lab", _policy(actions))
        key = iam.create_access_key(name)
        return Keys(key.access_key_id, key.secret_access_key)

    def _profile(self, name: str, actions: list[str]) -> None:
        """A role that nodes can have instead of keys, in an instance profile of the same name."""
        iam = iam_backends[ACCOUNT]["aws"]
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        iam.create_role(
            role_name=name,
            assume_role_policy_document=json.dumps(trust),
            path="/",
            permissions_boundary=None,
            description="What the lab's nodes may do",
            tags=[],
            max_session_duration="21600",
        )
        iam.put_role_policy(name, "lab", _policy(actions))
        iam.create_instance_profile(name=name, path="/", role_names=[name])


def _refuse(environ: Environ) -> bytes | None:
    """The answer to a request that is not signed, or is for a service that the lab does not have."""
    signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    if signed is None:
        code, message = "MissingAuthenticationToken", "Request is missing Authentication Token"
    elif signed[1] not in SERVICES:
        code, message = "UnknownService", f"The lab has {', '.join(SERVICES)} and no {signed[1]}"
    else:
        return None
    error = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    return f"<Response>{error}<RequestID>lab</RequestID></Response>".encode()


def _policy(actions: list[str]) -> str:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc, unused-ignore]
    """Logs requests that failed; the others are many."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        if str(code) >= "400":
            log.info("%s %s", self.requestline, code)
