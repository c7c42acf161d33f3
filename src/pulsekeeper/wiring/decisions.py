"""What should this visitor see?"""

from collections.abc import Sequence

from pulsekeeper.actors.mailbox import Mailbox, Ref
from pulsekeeper.actors.patience import Patience, Timekeeper
from pulsekeeper.decisions.audit.audit_routes import AuditRoutes
from pulsekeeper.decisions.audit.log_store import BookStore, LogStore
from pulsekeeper.decisions.audit.people_routes import PeopleRoutes
from pulsekeeper.decisions.audit.people_store import PeopleStore
from pulsekeeper.decisions.audit.stats_routes import StatsRoutes
from pulsekeeper.decisions.audit.stats_store import StatsStore
from pulsekeeper.decisions.decider import Decider, Message
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.reception import Reception
from pulsekeeper.decisions.routes import DecisionRoutes
from pulsekeeper.decisions.rulebook.campaign_routes import CampaignRoutes
from pulsekeeper.decisions.rulebook.release_routes import ReleaseRoutes
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rulebook.shelf import Shelf
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.wiring.ground import Ground, Room, actor, address_of

_DECIDER_MAILBOX = 4096
"""Questions that may wait. At the bound pages are told to show nothing: there is more load than this node can take."""


def decisions(ground: Ground) -> Room:
    """The decider, and the routes of decisions, of the rule book and of the audit."""
    database, clock, settings = ground.database, ground.clock, ground.config.decisions
    numbers, store = Numbers(ground.registry), DecisionStore(database)
    decider: Mailbox[Message] = Mailbox("decider", _DECIDER_MAILBOX)
    patience = Patience(settings.budget.total_seconds())
    rules_loaded = ground.checklist.expect("the campaigns are not loaded")

    def make_decider() -> Decider:
        shelf = Shelf(database, settings, clock, ground.schema_ready, rules_loaded)
        return Decider(store, shelf, settings, clock, numbers)

    return Room(
        minds=[actor("decider", make_decider, decider), actor("timekeeper", lambda: Timekeeper(patience))],
        endpoints=[
            *_decision_routes(ground, store, decider.ref, patience, numbers).endpoints(),
            *_rulebook_endpoints(ground),
            *_audit_endpoints(ground),
        ],
    )


def _decision_routes(
    ground: Ground, store: DecisionStore, decider: Ref[Message], patience: Patience, numbers: Numbers
) -> DecisionRoutes:
    settings = ground.config.decisions

    def new_reception() -> Reception:
        return Reception(
            address_of=address_of(ground.config),
            identify=ground.tokens.identify,
            operators=ground.operators,
            calls_per_minute=settings.calls_per_minute,
        )

    return DecisionRoutes(
        reception=new_reception(),
        reports=new_reception(),  # counted apart: who may not ask any more may still answer
        decider=decider,
        patience=patience,
        store=store,
        rules=RuleStore(ground.database),
        settings=settings,
        clock=ground.clock,
        numbers=numbers,
    )


def _rulebook_endpoints(ground: Ground) -> Sequence[Endpoint]:
    rules, policy = RuleStore(ground.database), ground.config.decisions.policy()
    return (
        *CampaignRoutes(rules, policy, ground.clock).endpoints(),
        *ReleaseRoutes(rules, policy, ground.clock).endpoints(),
    )


def _audit_endpoints(ground: Ground) -> Sequence[Endpoint]:
    database, settings = ground.database, ground.config.decisions
    return (
        *AuditRoutes(LogStore(database), BookStore(database)).endpoints(),
        *PeopleRoutes(PeopleStore(database), SaltStore(database), settings.environment).endpoints(),
        *StatsRoutes(StatsStore(database), settings.policy().visit_gap, ground.clock).endpoints(),
    )
