"""Voice Connectors as data, and the decisions made on them. Knows nothing of SIP messages or media."""
