"""The engine: claims runs, goes through their steps, and makes outside writes happen once."""
