"""The nouns of sessions, what goes over the wire, and what an operator may set."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from pulsekeeper.errors import Clash, Contradiction
from pulsekeeper.scalars import Duration

EVENT_NAME = r"^[a-z][a-z0-9_.]{0,59}$"
MOST_EVENTS = 500
"""Events in one call."""
MOST_BYTES = 1024 * 1024
"""Bytes of one call, unpacked."""

Label = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", description="up to 64 printable characters")]
EventName = Annotated[str, Meta(pattern=EVENT_NAME, description="a name such as 'story_opened'")]


class EndReason(StrEnum):
    """Why a session is over."""

    EXPLICIT = "explicit"
    """Its client said so."""
    TIMEOUT = "timeout"
    """Its client fell silent."""
    CONSENT = "consent"
    """Its user withdrew their consent."""
    MAX_LENGTH = "max_length"
    """It was open for as long as any session may be."""
    REPLACED = "replaced"
    """Another session of the same installation was started in its place."""


class Reason(StrEnum):
    """Why an event is not stored."""

    BAD_NAME = "bad_name"
    BAD_ID = "bad_id"
    BAD_TIME = "bad_time"
    """Its time, its order or the time of sending cannot be read."""
    BAD_PROPS = "bad_props"
    PII_KEY = "pii_key"
    """A property is called like something that would identify a person."""
    TOO_LATE = "too_late"
    """Its session ended too long ago."""
    TOO_EARLY = "too_early"
    """It happened too long ago."""
    UNKNOWN_SESSION = "unknown_session"


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[sessions]`."""

    still_alive: Duration = Duration(minutes=5)
    """How often clients are told to say that they are still there."""
    timeout: Duration = Duration(hours=1)
    """How long a session may be silent before it counts as over since its last sign of life."""
    max_length: Duration = Duration(hours=24)
    """How long a session may be open at most; its token is good for as long."""
    late: Duration = Duration(hours=24)
    """How long after its end the events of a session are still taken."""
    early: Duration = Duration(days=7)
    """How old an event may be when it arrives."""
    retention: Duration = Duration(days=396)
    """How long sessions and events are kept: in whole days, begun ones count."""
    starts_per_minute: Annotated[int, Meta(ge=1)] = 60
    """How many sessions one address may start in a minute."""
    calls_per_second: Annotated[int, Meta(ge=1)] = 20
    """How many calls one session may make in a second."""
    batch: Annotated[int, Meta(ge=1, le=1000)] = 100
    """How many calls share one commit at most."""
    patience: Duration = Duration(seconds=5)
    """How long a batch may wait for the database before its calls are refused."""
    in_flight: Annotated[int, Meta(ge=MOST_BYTES)] = 64 * MOST_BYTES
    """How many bytes of events a node holds that are not yet committed; at the bound clients are told to come back."""
    rollup_interval: Duration = Duration(minutes=1)
    """How often the figures are brought up to date."""
    denied_properties: tuple[str, ...] = (
        "address",
        "email",
        "emailaddress",
        "firstname",
        "fullname",
        "ip",
        "ipaddress",
        "lastname",
        "login",
        "mail",
        "mobile",
        "password",
        "phone",
        "phonenumber",
        "token",
        "user",
        "userid",
        "username",
    )
    """Property names that reject an event, in any case and with any separators."""
    own_events: tuple[EventName, ...] = ("session_started", "session_ended", "still_alive")
    """Events that only repeat the handshake, and are no sign that anything was done."""
    opened_event: EventName = "story_opened"
    """The event that begins a time with a story open."""
    closed_event: EventName = "story_closed"
    """The event that ends it."""
    page_event: EventName = "page_navigated"
    """The event of going to a page."""
    story_property: str = "story"
    """The property by which opened and closed events are paired."""
    page_property: str = "page"
    """The property with the name of the page."""

    @property
    def fresh(self) -> timedelta:
        """How long after a sign of life a session still counts as present: a client may miss one."""
        return 2 * self.still_alive

    @property
    def token_lifetime(self) -> Duration:
        """How long after its start a session's token is good for anything: until the last of its late events."""
        return Duration(seconds=(self.max_length + self.late).total_seconds())

    def __post_init__(self) -> None:
        """What a retry is recognised by must be kept for as long as the retry may come."""
        clashes = []
        if self.fresh > self.timeout:
            clashes.append(
                Clash(("still_alive", "timeout"), f"expected at most half of timeout, which is {self.timeout}")
            )
        if self.retention < self.token_lifetime + self.early:
            detail = "expected at least max_length, late and early together"
            clashes.append(Clash(("retention", "max_length", "late", "early"), detail))
        if clashes:
            raise Contradiction(*clashes)


class StartRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A client's user has agreed, and a session begins. The call is the statement of consent."""

    installation_id: Any = None
    """As it was given by an earlier start. Whatever is no id of a known installation is replaced by a new one."""
    consent: bool = True
    consent_version: Label | None = None
    """Which text the user agreed to."""
    app_version: Label | None = None
    platform: Label | None = None
    timezone: Label | None = None
    """An IANA zone; one that nobody knows is not stored."""
    replace: bool = False
    """Whether the installation's other open sessions end."""


class StartReply(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session has begun."""

    session_id: UUID
    token: str
    """Goes with every further call, as `Authorization: Bearer`, `X-Session-Token` or `?token=`."""
    installation_id: UUID
    """To be kept, and sent with the next start."""
    still_alive_seconds: int
    timeout_seconds: int


class WithdrawRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """The user does not agree any more."""

    erase: bool = False
    """Whether everything that is stored of the installation goes as well."""


class Refusal(Struct, frozen=True, rename="camel"):
    """An event that is not stored."""

    index: int
    """Its place in the call, from 0."""
    id: str | None
    """Its id, cut if it is very long; `null` where it has none."""
    reason: Reason


class IngestReply(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the events of a call. What is accepted is committed, and need not be sent again."""

    accepted: int
    duplicates: int
    """Those that were stored before."""
    rejected: tuple[Refusal, ...]


class IngestEvent(Struct, frozen=True, kw_only=True):
    """One thing that happened, as clients send it. Only for the documentation: events are judged one by one."""

    id: UUID
    """Made by the client, once for each event, so that a repeated call stores nothing twice."""
    name: EventName
    at: str | UnsetType | None = UNSET
    """By the client's clock, ISO 8601 with a zone."""
    seq: Annotated[int, Meta(ge=0)] | UnsetType | None = UNSET
    """The event's number in its session: within one it is this that orders, not the clock."""
    props: dict[str, str | int | float | bool | None] | UnsetType | None = UNSET


class IngestRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A call's events, and when it was sent by the client's clock."""

    events: Annotated[tuple[IngestEvent, ...], Meta(max_length=MOST_EVENTS)]
    sent_at: str | UnsetType | None = UNSET


SessionState = Literal["open", "ended"]
