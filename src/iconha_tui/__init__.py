"""iconha-tui: a terminal wizard for an active/passive ICON P-Rep pair on AWS EC2."""

__version__ = "0.1.0"
