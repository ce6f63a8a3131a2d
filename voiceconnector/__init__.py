"""An emulator of the Amazon Chime SDK Voice Connector."""

__version__ = "0.1.0"
