"""The nouns of a decision: the room's settings, what is known of a person, and the shapes on the wire.

What is made anew for every decision cannot be part of a cycle, and is hidden from the garbage collector (`gc=False`).
"""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from pulsekeeper.decisions.rules.campaigns import Campaign, Instant, Name, Release
from pulsekeeper.errors import Clash, Contradiction
from pulsekeeper.scalars import Duration

Positive = Annotated[int, Meta(ge=1)]
MOST = 2**53
"""The largest number that every JSON reader takes as it is."""
VisitorId = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$(?!\n)", description="of 8 to 64 letters, digits, hyphens and underscores"),
]
PersonKey = Annotated[
    str,
    Meta(
        pattern=r"^(user|visitor|ip):[^\n]",
        description="that begins with 'user:', 'visitor:' or 'ip:'",
        max_length=512,
        examples=["user:u-1"],
    ),
]
Text = Annotated[str, Meta(max_length=256)]
Tally = Annotated[int, Meta(ge=0, le=MOST)]
Number = Annotated[int, Meta(ge=-MOST, le=MOST)]
Attribute = bool | Number | float | Text | Annotated[tuple[Text, ...], Meta(max_length=64)]
AttributeName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$(?!\n)",
        description="of letters, digits and any of _ . : - that begins with a letter or a digit, at most 64",
    ),
]
Attributes = Annotated[dict[AttributeName, Attribute], Meta(max_length=32)]
"""What a client says about itself. It chooses messages; it never proves anything."""


class Policy(Struct, frozen=True, kw_only=True, rename="camel"):
    """The settings that change an answer: part of the rule book, so that an old answer can be worked out again."""

    visit_gap: timedelta = timedelta(minutes=30)
    reservation: timedelta = timedelta(minutes=30)
    cooldown: timedelta = timedelta(hours=24)
    quiet_after: int = 5
    next_check_min: timedelta = timedelta(minutes=1)
    next_check_max: timedelta = timedelta(hours=1)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this room behaves."""

    environment: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)")] = "production"
    """The name of this environment. Hashed into every person's key, so that keys of two environments never match."""
    budget: Duration = Duration.parse("80ms")
    """How long a page waits for its decision; after that it is told to show nothing."""
    patience: Duration = Duration.parse("2s")
    """How long a batch may wait for the database before its questions are given up and new ones are taken."""
    visit_gap: Duration = Duration.parse("30m")
    """A call at least this long after the one before starts a new visit."""
    reservation: Duration = Duration.parse("30m")
    """How long an offer that nobody has answered keeps everything else back."""
    cooldown: Duration = Duration.parse("24h")
    """How long a person who was shown something is left alone, except by campaigns that are exempt."""
    quiet_after: Annotated[int, Meta(ge=0)] = 5
    """Who has more visits than this in one local day is left alone, except by campaigns that are exempt."""
    next_check_min: Duration = Duration.parse("1m")
    """A client is never told to ask again sooner than this."""
    next_check_max: Duration = Duration.parse("1h")
    """A client is never told to wait longer than this before it asks again."""
    rule_book_refresh: Duration = Duration.parse("5m")
    """How often the campaigns are read again in case the notice of a change was missed."""
    remembered: Positive = 100_000
    """How many people's states are kept in memory."""
    batch: Positive = 256
    """How many decisions share one commit at most."""
    calls_per_minute: Positive = 60
    """How many decisions one address, and one person, may ask for in a minute."""
    log_retention: Duration = Duration.parse("90d")
    """How long decisions, and what people did with what they were shown, are kept: in whole days, begun ones count."""
    anonymous_retention: Duration = Duration.parse("180d")
    """How long an anonymous person is remembered after they were last seen. Not shorter than `log_retention`."""
    salt_lifetime: Duration = Duration.parse("365d")
    """How old the secret may get under which anonymous people are hashed, before the upkeep rotates it."""

    def __post_init__(self) -> None:
        pairs = (("next_check_min", "next_check_max"), ("log_retention", "anonymous_retention"))
        clashes = [
            Clash((low, high), f"expected at most {high}, which is {getattr(self, high)}")
            for low, high in pairs
            if getattr(self, low) > getattr(self, high)
        ]
        if clashes:
            raise Contradiction(*clashes)

    def policy(self) -> Policy:
        """The part that the rule book contains."""
        return Policy(
            visit_gap=_plain(self.visit_gap),
            reservation=_plain(self.reservation),
            cooldown=_plain(self.cooldown),
            quiet_after=self.quiet_after,
            next_check_min=_plain(self.next_check_min),
            next_check_max=_plain(self.next_check_max),
        )


def _plain(duration: Duration) -> timedelta:
    return timedelta(seconds=duration.total_seconds())


class Visits(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """How often a person was here. Today and this week are those of the last call, in the person's time zone then."""

    today: Tally = 0
    this_week: Tally = 0
    total: Tally = 0
    day: Annotated[str, Meta(max_length=10)] = ""
    """The local day that `today` counts, `2025-10-15`; when empty, the day of `lastSeenAt`."""
    week: Annotated[str, Meta(max_length=8)] = ""
    """The ISO week that `thisWeek` counts, `2025-W42`; when empty, the week of `lastSeenAt`."""


class CampaignState(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """What one person and one campaign have had to do with each other."""

    offers: Tally = 0
    """Offers made. Every answered one has an entry in `shown_at`, so the difference is how many went unanswered."""
    last_offered_at: Instant | None = None
    shown_at: tuple[Instant, ...] = ()
    """Confirmed showings, only as many as the caps can ask for. An older one is dropped together with its offer."""
    acknowledged_at: Instant | None = None
    dismissed_at: Instant | None = None


class VisitorState(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Everything that is known of one person."""

    first_seen_at: Instant | None = None
    """`None` only where someone wrote a state by hand; it then counts from `last_seen_at`."""
    last_seen_at: Instant
    """The last call."""
    visits: Visits = Visits()
    last_release_seen: Name | None = None
    """The newest release whose announcement was completed or dismissed, or on which the person first arrived."""
    last_release_visited: Name | None = None
    """The newest release that any of the person's clients was running."""
    campaigns: dict[str, CampaignState] = {}
    linked: tuple[str, ...] = ()
    """The other keys that turned out to be the same person."""
    attributes: Attributes = {}
    """The attributes that a client sent last. For operators to see: rules look at those of the call in hand."""
    version: Tally = 0
    """Goes up by one with each change; 0 is a state that was never stored."""


class DecideRequest(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """What a page tells about itself when it asks what to show."""

    release_id: Name
    """The release that the page is running. One that nobody has registered is not an error."""
    feature_flags: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    timezone: Annotated[str, Meta(max_length=64)] | None = None
    """The IANA name. An unknown one counts as none."""
    timezone_offset: Annotated[int, Meta(ge=-1080, le=1080)] | None = None
    """Minutes as JavaScript's `getTimezoneOffset()` gives them, positive west. Used only without a known zone."""
    last_client_action_at: Instant | None = None
    """When the person last did something in a page that answered from its cache: counts as seen, if past."""
    visitor_id: VisitorId | None = None
    """A random first-party id of this browser."""
    attributes: Attributes = {}


class ReleaseStatus(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Where the person stands with the latest release that is out, if there is one."""

    latest_release_id: str | None
    already_seen: bool
    """Whether its announcement, or a newer one's, is behind this person. False without a release."""


class Decision(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """One thing to show."""

    action: str
    campaign_id: str
    payload: Raw
    """The campaign's `messagePayload` as canonical JSON, encoded once when the rule book was made."""
    reason: tuple[str, ...]
    """What made it due, the strongest first."""


class Verdict(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """What became of one campaign, and the first rule that refused it or the first reason why it is shown."""

    campaign_id: str
    verdict: Literal["shown", "refused"]
    reason: str


class DecideReply(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What to show, most of the time nothing, and when to ask again."""

    decision_id: str
    release_status: ReleaseStatus
    decisions: tuple[Decision, ...]
    next_check_in_seconds: int
    degraded: bool = False
    """The answer could not be committed in time, so there is nothing to show. Left out unless true."""
    evaluated: tuple[Verdict, ...] | None = None
    """Every campaign with its verdict, for operators who ask for it. Left out otherwise."""


class SimulateRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A decision to be tried out. `null` stands for what is stored."""

    request: DecideRequest
    now: Instant | None = None
    """The moment at which it would be asked; `null` is the present."""
    person: PersonKey = "visitor:simulated"
    """A person key: `user:…`, `visitor:…` or `ip:…`. The next two are what its verified token would say."""
    authenticated: bool = False
    roles: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    state: VisitorState | None = None
    campaigns: Annotated[tuple[Campaign, ...], Meta(max_length=500)] | None = None
    releases: Annotated[tuple[Release, ...], Meta(max_length=5000)] | None = None


class SimulateReply(Struct, frozen=True, kw_only=True, rename="camel"):
    """What would have been answered, why, and what would have been remembered."""

    decisions: tuple[Decision, ...]
    evaluated: tuple[Verdict, ...]
    state_after: VisitorState
    next_check_in_seconds: int
