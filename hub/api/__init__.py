"""REST and the webhook door; the only place that knows HTTP statuses."""
