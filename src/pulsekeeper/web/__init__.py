"""What every route needs: requests and replies, who may come in, how often, what an error looks like, and the front
door.

Rooms describe their routes as `Endpoint`s with handlers from a `Request` to a `Reply`. Called by the composition
root, which hands in the key check, the readiness reasons and the metrics. It never touches the database and knows no
room.

Why handlers do not know the web framework: the same function can then be served by Quart, by a faster lane on bare
connections, or by a test with nothing in between, and the rules of the house (keys, limits, headers, errors) are
applied once.
"""
