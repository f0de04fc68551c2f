"""OData v2 and v4 as SAP Gateway speaks them: pure forms of requests, and readings of answers."""
