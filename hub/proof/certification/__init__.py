"""The certification of connectors: every operation, trigger and stream under every fault, judged by the books."""
