"""What the services consist of: entity sets, their properties, and the metadata documents made of them."""
