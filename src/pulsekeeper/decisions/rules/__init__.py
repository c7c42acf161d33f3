"""What is shown to whom, as a function: nothing in here waits, looks at a clock or touches the world.

`deciding` puts it together: it looks at a visit (`visits`, and `seeing` for expressions), asks each campaign's
`conditions` in their order, and says `reasons`; `findings` keeps what came of it. What operators write is in
`campaigns`, what is known of a person in `model`; `book` makes both ready once, so that a decision only compares.
Everybody else in the room calls this one, and it calls nobody: so any decision can be made again, years later, from
what was logged. What is remembered from one call to the next (the hours of a zone, what an expression said of the same
values, the findings of a book) is bounded, and changes how long an answer takes, never the answer.
"""
