"""Where a session finds its nodes: by what was read, and by a new look once a connection has broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from stage_world import KNOWN, ONE, World, living_pair, reservation
from waiting import BOUND

from iconha_tui.cloud.stoppable import StoppableCloud
from iconha_tui.control.run_controller import RunController, RunRequest
from iconha_tui.engine.actions import Action, Disruption, Disruptive, Run
from iconha_tui.engine.events import Event, RunFinished, StepFinished
from iconha_tui.engine.journal import Journal
from iconha_tui.engine.ports import Completed
from iconha_tui.engine.step import Context, Done, Needed, Stage, Step, Verdict, View
from iconha_tui.errors import Cancelled, Trouble
from iconha_tui.remote.connection import Unreachable
from iconha_tui.session import Session
from iconha_tui.spec import Spec
from iconha_tui.stages.serving import Serves
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


class Silent:
    """An AWS that takes a call and says nothing until it is let go."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def call(self, service: str, operation: str, params: Any = None) -> dict[str, Any]:
        self.asked.set()
        self.go.wait(BOUND)
        return {}


def test_a_stop_is_heard_while_aws_says_nothing(session: Session) -> None:
    aws = Silent()
    cloud = StoppableCloud(lambda: aws, lambda: session.ctx.cancel)
    ended: list[Trouble] = []

    def ask() -> None:
        try:
            cloud.call("ec2", "describe_instances")
        except Trouble as trouble:
            ended.append(trouble)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    assert aws.asked.wait(BOUND)
    session.cancel()
    asking.join(BOUND)
    aws.go.set()
    assert isinstance(ended[0], Cancelled)
    assert ended[0].where == "ec2:DescribeInstances"
    with pytest.raises(Cancelled):  # nor is anything asked after the stop
        StoppableCloud(lambda: pytest.fail("It was asked."), lambda: session.ctx.cancel).call("ec2", "run_instances")


def test_a_stop_that_comes_before_the_first_step_holds(session: Session) -> None:
    """Ctrl+C while the lock is taken, the spec saved or the preflight through its last look."""
    session.cancel()
    step = Disturbs(lambda: None)
    stage = Stage("corosync", "Corosync", "", (step,))
    finished = RunController(session, look=None).run(RunRequest((stage,)), lambda _event: None)
    assert finished.outcome == "cancelled"


def test_a_client_of_old_keys_is_used_no_longer(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are typed anew while a thread makes the client of the old ones."""
    made: list[list[str]] = []

    class Client:
        def __init__(self, _aws: Any, keys: list[str], _sign_in: object) -> None:
            made.append(keys)
            if len(made) == 1:
                session.keep_secret("aws_secret_access_key", "new")

    monkeypatch.setattr("iconha_tui.cloud.client.Client", Client)
    session.keep_secret("aws_secret_access_key", "old")
    session._operator_cloud()
    session._operator_cloud()
    assert [keys[1] for keys in made] == ["old", "new"]


def test_a_run_that_was_stopped_stops_nothing_that_comes_after_it(session: Session) -> None:
    stopping = session.ctx.cancel
    finished = RunController(session, look=None).run(RunRequest(()), lambda _event: session.cancel())
    assert finished.outcome in ("done", "cancelled")
    assert session.ctx.cancel is not stopping
    assert not session.ctx.cancel.is_set()


# what a run may do to a pair that serves

LIVING = living_pair(ONE)
PAUSED = (
    '<cib><configuration><crm_config><cluster_property_set id="iconha-maintenance"/></crm_config></configuration></cib>'
)


class Disturbs(Step):
    """Has work to do that may disturb the pair, and is done once `does` was called."""

    id = "corosync.conf"
    title = "disturbs"

    def __init__(self, does: Callable[[], None]) -> None:
        self._does = does
        self.worked = False

    def targets(self, view: View) -> list[str]:
        return [ONE]

    def probe(self, ctx: Context, target: str) -> Verdict:
        return Done("new") if self.worked else Needed("old")

    def plan(self, view: View, target: str) -> list[Action]:
        return [Run(target, ("disturb",), disruption=Disruption("It may move.", 5))]


@pytest.fixture
def pair(session: Session, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, World]:
    """A session whose pair serves, as the nodes and EC2 say."""
    world = World()
    session.ctx.node = world.nodes.__getitem__
    session.ctx.cloud = world.cloud
    world.cloud.says = {
        "describe_addresses": {
            "Addresses": [
                {"PublicIp": "203.0.113.10", "AllocationId": "eipalloc-1", "InstanceId": KNOWN[f"{ONE}.instance_id"]}
            ]
        },
        "describe_instances": {"Reservations": [reservation(1)]},
    }
    for node in world.nodes.values():
        node.says = {"crm_mon": LIVING, "cibadmin": "<cib><configuration/></cib>"}
    session.store.save(session.spec)
    keep = Journal(session.store.folder(session.spec.name))
    keep(StepFinished("elastic_ip", "elastic_ip.started", "done", True, 1.0, "started"))
    keep.close()
    return session, world


def carries_out(
    pair: tuple[Session, World],
    monkeypatch: pytest.MonkeyPatch,
    then: Callable[[], None],
    allow: Callable[[Sequence[Disruptive]], bool] = lambda _due: False,
) -> tuple[RunFinished, list[Event]]:
    """One run of one step that disturbs; `then` is what that does to the world."""
    session, _world = pair
    step = Disturbs(then)

    def carry_out(actions: list[Action], *_: object, **__: object) -> None:
        if actions:
            step.worked = True
            then()

    monkeypatch.setattr("iconha_tui.engine.runner.carry_out", carry_out)
    told: list[Event] = []
    controller = RunController(session, look=None)
    controller.allow = allow
    controller.run(RunRequest((Stage("corosync", "Corosync", "", (step,)),)), told.append)  # type: ignore[arg-type]
    end = told[-1]
    assert isinstance(end, RunFinished)
    return end, told


def steps(told: list[Event]) -> list[tuple[str, str]]:
    return [(each.step, each.outcome) for each in told if isinstance(each, StepFinished)]


def test_what_may_disrupt_a_pair_that_serves_is_not_done_where_nobody_allows_it(
    pair: tuple[Session, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    end, told = carries_out(pair, monkeypatch, lambda: done.append("disturbed"))
    assert (end.outcome, end.changed, done) == ("blocked", False, [])
    assert steps(told) == [("pair.serves", "blocked")]
    (refused,) = [each for each in told if isinstance(each, StepFinished)]
    assert "It may move. Expected: about 5 s." in refused.text
    assert "--allow-disruption" in refused.remedy


def test_what_was_allowed_is_done_and_the_run_ends_with_a_look_at_the_pair(
    pair: tuple[Session, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    end, told = carries_out(pair, monkeypatch, lambda: None, lambda due: [each.shown for each in due] == ["disturb"])
    assert end.outcome == "done"
    assert steps(told) == [("corosync.conf", "done"), ("pair.serves", "done")]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"crm_mon": Completed(102, "", "not running")}, "Pacemaker runs on neither node"),
        ({"crm_mon": LIVING.replace('role="Started" active="true"', 'role="Stopped" active="false"')}, "No node holds"),
        ({"cibadmin": PAUSED}, "Failover is paused"),
    ],
    ids=["down", "nobody holds it", "paused"],
)
def test_a_run_that_leaves_a_pair_not_serving_is_not_done(
    pair: tuple[Session, World], monkeypatch: pytest.MonkeyPatch, left: dict[str, str | Completed | Trouble], said: str
) -> None:
    _session, world = pair
    monkeypatch.setattr(Serves, "patience_for", lambda *_: 0.0)

    def leave() -> None:
        for node in world.nodes.values():
            node.says |= left

    end, told = carries_out(pair, monkeypatch, leave, lambda _due: True)
    assert end.outcome == "failed"
    assert steps(told) == [("corosync.conf", "done"), ("pair.serves", "failed")]
    last = [each for each in told if isinstance(each, StepFinished)][-1]
    assert said in last.text
    assert "F12" in last.remedy


def test_a_pair_that_was_never_started_is_not_looked_at(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    session.ctx.node = world.nodes.__getitem__
    done: list[str] = []
    end, told = carries_out((session, world), monkeypatch, lambda: done.append("built"))
    assert (end.outcome, done) == ("done", ["built"])
    assert steps(told) == [("corosync.conf", "done")]
    assert all(node.ran == [] for node in world.nodes.values())
