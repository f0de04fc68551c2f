"""A NetSuite account to try against: tokens, records, SuiteQL, RESTlets, governance and double-entry books."""
