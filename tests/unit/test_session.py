"""Where a session finds its nodes: by what was read, and by a new look once a connection has broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stage_world import KNOWN, ONE, reservation

from iconha_tui.errors import Trouble
from iconha_tui.remote.connection import Unreachable
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.store import Store


class Aws:
    """Answers DescribeInstances, and counts."""

    def __init__(self) -> None:
        self.says: dict[str, Any] | Trouble = {"Reservations": [reservation(1)]}
        self.asked = 0

    def call(self, service: str, operation: str, params: Any = None) -> dict[str, Any]:
        self.asked += 1
        if isinstance(self.says, Trouble):
            raise self.says
        return self.says


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def session(tmp_path: Path, aws: Aws) -> Session:
    session = Session(Store(tmp_path), Spec(), confirm_host_key=lambda *_: False)
    session.ctx.cloud = aws
    session.ctx.learn(KNOWN)
    return session


def test_a_node_whose_connection_broke_is_looked_up_anew(session: Session, aws: Aws) -> None:
    """The Elastic IP was its address, and has moved to the other node with what was stopped."""
    locate = session._new_pool()._locate
    assert (locate(ONE).host, aws.asked) == ("198.51.100.11", 0)
    aws.says = {"Reservations": [reservation(1, PublicIpAddress="198.51.100.99")]}
    assert (locate(ONE).host, locate(ONE).alias) == ("198.51.100.99", "i-00000000000000001")


def test_a_node_that_has_no_address_for_a_while_is_waited_for(session: Session, aws: Aws) -> None:
    """EC2 gives a machine that lost its Elastic IP a new address some time later."""
    locate = session._new_pool()._locate
    locate(ONE)
    aws.says = {"Reservations": [reservation(1, PublicIpAddress=None)]}
    with pytest.raises(Unreachable) as waited:
        locate(ONE)
    assert waited.value.transient


def test_an_aws_that_does_not_answer_leaves_the_address_that_is_known(session: Session, aws: Aws) -> None:
    locate = session._new_pool()._locate
    locate(ONE)
    aws.says = Trouble("The API does not answer.")
    assert locate(ONE).host == "198.51.100.11"


def test_a_run_that_was_stopped_stops_nothing_that_comes_after_it(session: Session) -> None:
    stopping = session.ctx.cancel
    finished = session.run((), lambda _event: session.cancel())
    assert finished.outcome in ("done", "cancelled")
    assert session.ctx.cancel is not stopping
    assert not session.ctx.cancel.is_set()
