"""What leaves as data: pure functions from events to records, and the sinks that keep them."""
