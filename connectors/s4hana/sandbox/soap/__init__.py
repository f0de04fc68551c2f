"""The journal entry services: SOAP messages, their WSDL, and what is posted by them."""
