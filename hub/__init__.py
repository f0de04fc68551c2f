"""Concord's hub: takes in events, runs governed flows, and accounts for every outside write."""
