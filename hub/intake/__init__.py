"""Outside to events to runs: webhooks and polls, verified, deduplicated, and durable before they are acknowledged."""
