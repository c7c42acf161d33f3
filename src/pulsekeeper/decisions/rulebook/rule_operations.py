"""What the routes of campaigns and of releases have in common, as it is told to those who call them."""

from functools import partial

from pulsekeeper.web.endpoints import KIBIBYTE, Answer, Endpoint
from pulsekeeper.web.identity import Scope

TAG = {"ETag": "The version, for `If-Match` and `If-None-Match`."}
"""The header of every answer that has a representation."""
NEW = {**TAG, "Location": "Its address."}
"""The headers of an answer to what has created something."""
CONDITIONS = (
    " `If-Match` with the tag of the version that was read makes it fail with 412 when somebody else was faster;"
    " without it, whoever comes last wins."
)
IN_FORCE = " In force on every node within a second."
CREATES_OR_REPLACES = " `If-None-Match: *` only ever creates." + CONDITIONS + IN_FORCE
NOT_MODIFIED = Answer(description="It is still what `If-None-Match` says.", headers=TAG)

rule_endpoint = partial(Endpoint, tag="rules", scope=Scope.ADMIN, max_body=64 * KIBIBYTE)
"""An endpoint for operators."""
