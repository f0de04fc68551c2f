"""AvaTax as a client meets it: accounts, companies, tax by a small rate table, documents and their life cycle."""
