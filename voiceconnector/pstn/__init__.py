"""The emulated public telephone network: outside the service, with a SIP stack of its own."""
