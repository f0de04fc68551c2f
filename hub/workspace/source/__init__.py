"""Reading files: YAML with places, JSON with places, terms, and the mistakes and findings that name them."""
