"""Journal entries as SOAP messages: formed in the order of SAP's schema, and read without document types."""
