"""What SAP does with the data: partners, products, orders, billing documents and the ledger."""
