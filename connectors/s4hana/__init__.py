"""SAP S/4HANA Cloud: so far its sandbox alone, which speaks the vendor's wire protocol; see the README."""
