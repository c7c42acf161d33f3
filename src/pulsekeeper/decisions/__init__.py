"""What should this visitor see, if anything? Most of the time: nothing.

Sites ask on every page load, and operators try their rules out with simulations. The room knows campaigns, releases and
one row of state per person, and from these alone it decides; the decision is a pure function, so every answer in the
log can be worked out again from what was logged. It never learns who a person is: addresses and visitor ids arrive as
keyed hashes and stay so. It never makes a page wait: a message that is late is worth less than a page that is there,
so whatever goes wrong is answered with "show nothing". And an offer is not an impression: what was decided counts only
for as long as it is reserved, until the site says that the person has really seen it.

To be read in this order: `records`, the nouns; `rules/`, the decision; `turns`, one person, and `gathering`, a batch;
`memory` and `trust`, what a node remembers of people and whether it believes it; `store`; `decider`, the actor;
`reception` and `routes`. `rulebook/` keeps campaigns, releases and salts; `audit/` looks back.

Where the time of a decision goes, under load: half of the node's is the connection and its handler (see `web`), a
seventh the rules with all that is encoded, a seventh the commit, the rest gathering, answering and changing tasks. What
pays is what a batch shares: one write for all who wait, nothing read for whom the node remembers, and rules that were
compiled when the book was made.
"""
