"""What SDP describes and RTP carries: negotiation (RFC 3264), packets, and the relay that moves them."""
