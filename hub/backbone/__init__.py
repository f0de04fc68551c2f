"""Wake-ups and event feeds over NATS JetStream, for hubs of several processes and for those who listen to them."""
