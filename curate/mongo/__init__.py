"""FiftyOne's database: mongod, which keeps it, and FiftyOne itself, imported late and connected to it."""
