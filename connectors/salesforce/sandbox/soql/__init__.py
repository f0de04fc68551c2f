"""SOQL: its words and grammar, what names mean in the org's schema, and the running of queries over its records."""
