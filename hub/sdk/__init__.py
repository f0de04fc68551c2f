"""All that a connector may import: the contract, exact JSON, signing, the HTTP client, and the standard test suite."""
