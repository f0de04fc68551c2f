"""Salesforce: accounts, products, opportunities, orders and an org's own objects over its REST APIs."""
