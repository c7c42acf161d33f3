"""What did the operator ask for? Defaults, then files, then environment variables, made one strict `Config`.

Called once, by the commands, before anything is started. It never guesses and never starts with half of what was asked:
a name that nobody knows or a value of the wrong type stops the start, and all of them are told at once with their file
or variable, because finding typing errors one restart at a time is how outages get long. The reference of all settings
is `config/pulsekeeper.toml`.
"""

from pulsekeeper.config.load import ConfigError, Loaded, load_as
from pulsekeeper.config.model import Config, LogSettings, ShutdownSettings, load
from pulsekeeper.config.render import render_toml

__all__ = [
    "Config",
    "ConfigError",
    "Loaded",
    "LogSettings",
    "ShutdownSettings",
    "load",
    "load_as",
    "render_toml",
]
