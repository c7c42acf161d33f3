"""What was decided, and whether it would be decided in the same way again."""

from uuid import UUID

from pulsekeeper import errors
from pulsekeeper.decisions.audit import audit_operations
from pulsekeeper.decisions.audit.log_store import BookStore, LogStore
from pulsekeeper.decisions.audit.replay import Logged, replay
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.wire import Reply, Request, json_reply


class AuditRoutes:
    """Read, decide again, reply."""

    def __init__(self, log: LogStore, books: BookStore) -> None:
        self._log = log
        self._books = books

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of the log."""
        return (audit_operations.show_decision(self.show), audit_operations.replay_decision(self.replay))

    async def show(self, request: Request) -> Reply:
        """A decision as the log has it."""
        return json_reply(await self._logged(request))

    async def replay(self, request: Request) -> Reply:
        """Changes nothing: nobody is offered anything by it."""
        logged = await self._logged(request)
        return json_reply(replay(await self._books.book(logged.rule_book), logged))

    async def _logged(self, request: Request) -> Logged:
        text = request.path_params["id"]
        try:
            decision_id = UUID(text)
        except ValueError:
            raise errors.NotFound(f"{text[:64]!r} is not the id of a decision.") from None
        return await self._log.decision(decision_id)
