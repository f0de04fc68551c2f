"""How requests are read and answered: addresses, options, filters, batches, in OData v2 and v4."""
