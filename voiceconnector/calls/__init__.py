"""Call control: two SIP legs, one call."""
