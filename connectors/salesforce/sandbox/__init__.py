"""A Salesforce org to try against: OAuth, objects as data, records, SOQL, composite calls, bulk jobs and messages."""
