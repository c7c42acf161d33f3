"""`python -m pulsekeeper` is `pulsekeeper`."""

from pulsekeeper.cli import main

main()
