"""One S/4HANA Cloud tenant to try against: OData v2 and v4, journal entries by SOAP, business events and real books."""
