"""The nouns: money, event, flow, run, effect, schema, case, exchange, and their legal state changes."""
