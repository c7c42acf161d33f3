"""What every route needs: requests and replies, who may come in, how often, what an error looks like, and the front
door.

Rooms describe their routes as `Endpoint`s with handlers from a `Request` to a `Reply`. Called by the composition
root, which hands in the key check, the readiness reasons and the metrics. It never touches the database and knows no
room.

Why handlers do not know the web framework: the same function can then be served by Quart, by a faster lane on bare
connections, or by a test with nothing in between, and the rules of the house (keys, limits, headers, errors) are
applied once.

To be read in this order: what rooms use, `wire`, `endpoints`, `bodies`, `limits`, `problems`; the one way in, `gate`
with `headers` and `observe`; on the lane of the hot calls, `serving`, `waiting`, `plain`, `express`, `writing`; behind
it, `front`, `http11`, `exchange`, `app`.

Where the time of a hot call goes, in here: a fifth of it into the two system calls that read and write, an eighth
into Trio's changing of tasks; the rest is spread thinly over all of these. So what pays is what is not there: no
framework objects, no cancel scope, no log line and no formatting of what was said in the reply before.
"""
