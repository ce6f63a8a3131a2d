"""RFC 3261: text and values, transactions, dialogs. Synchronous and without I/O, but for `transport`."""
